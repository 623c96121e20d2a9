/** Says that what is shown could not be read again. */
import Alert from '@cloudscape-design/components/alert'
import Button from '@cloudscape-design/components/button'
import type { UseQueryResult } from '@tanstack/react-query'
import type { ApiError } from '../api/api-error.ts'
import { TextOfOthers } from './text-of-others.tsx'
import { Time } from './time.tsx'

export function StaleAnswer({ result }: { result: UseQueryResult<unknown, ApiError> }) {
  const { data, error, dataUpdatedAt, refetch } = result
  // The end of a session is said once, above the view.
  if (data === undefined || error === null || error.status === 401) return null
  return (
    <Alert type="warning" action={<Button onClick={() => void refetch()}>Try again</Button>}>
      What you see is of <Time at={new Date(dataUpdatedAt).toISOString()} />. Reading it again failed:{' '}
      <TextOfOthers text={error.message} />
    </Alert>
  )
}
