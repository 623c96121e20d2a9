/** Shows an answer of the API: while it loads, when it fails, and when it is there. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Spinner from '@cloudscape-design/components/spinner'
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import type { ApiError } from '../api/api-error.ts'
import { Failure } from './failure.tsx'
import { Time } from './time.tsx'

interface RemoteProps<T> {
  /** What is read, as in "mail that waits". */
  what: string
  result: UseQueryResult<T, ApiError>
  children(answer: T): ReactNode
}

export function Remote<T>({ what, result, children }: RemoteProps<T>) {
  if (result.data !== undefined)
    return (
      <>
        {result.error && result.error.status !== 401 && (
          <Alert type="warning">
            What you see is of <Time at={new Date(result.dataUpdatedAt).toISOString()} />. Reading it again
            failed: {result.error.message}
          </Alert>
        )}
        {children(result.data)}
      </>
    )
  if (result.error)
    return <Failure title={`Cannot read ${what}`} error={result.error} retry={() => result.refetch()} />
  return (
    <Box color="text-status-inactive">
      <Spinner /> Reading {what}
    </Box>
  )
}
