/** Shows an answer of the API: while it loads, when it fails, and when it is there. */
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import type { ApiError } from '../api/api-error.ts'
import { ErrorBoundary } from './error-boundary.tsx'
import { Failure } from './failure.tsx'
import { Reading } from './reading.tsx'
import { StaleAnswer } from './stale-answer.tsx'

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
        <StaleAnswer result={result} />
        <ErrorBoundary what={what}>
          <Answer answer={result.data}>{children}</Answer>
        </ErrorBoundary>
      </>
    )
  if (result.error)
    return <Failure title={`Cannot read ${what}`} error={result.error} retry={() => result.refetch()} />
  return <Reading what={what} />
}

/** A component of its own, so that the boundary catches what `children` throws. */
const Answer = <T,>({ answer, children }: { answer: T; children(answer: T): ReactNode }) => children(answer)
