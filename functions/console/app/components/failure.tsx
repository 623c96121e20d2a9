/** What a view shows when a request failed: what happened, and what the person can do. */
import Alert from '@cloudscape-design/components/alert'
import Button from '@cloudscape-design/components/button'
import { ApiError } from '../api/api-error.ts'
import { TextOfOthers } from './text-of-others.tsx'

interface FailureProps {
  title: string
  error: Error
  retry(): unknown
}

export function Failure({ title, error, retry }: FailureProps) {
  const status = error instanceof ApiError ? error.status : null
  if (status === 403)
    return (
      <Alert
        type="info"
        header="Your role does not show this"
        action={<Button onClick={() => location.reload()}>Try again</Button>}
      >
        <TextOfOthers text={error.message} /> An administrator of your identity provider can give you a role.
        Then try again.
      </Alert>
    )
  const isSignedOut = status === 401
  return (
    <Alert
      type="error"
      header={title}
      action={
        <Button onClick={() => (isSignedOut ? location.reload() : retry())}>
          {isSignedOut ? 'Sign in' : 'Try again'}
        </Button>
      }
    >
      <TextOfOthers text={textOf(error)} />
      {error instanceof ApiError &&
        error.faults.map(({ path, message }) => (
          <div key={`${path} ${message}`}>
            <TextOfOthers text={`${path} ${message}`} />
          </div>
        ))}
    </Alert>
  )
}

/** A fault of a script has a text for developers: an answer of another version lacked a field. */
const textOf = (error: Error): string =>
  error instanceof TypeError || error instanceof RangeError
    ? 'The answer of the API has another form than this version of the console reads. Reload the page.'
    : error.message
