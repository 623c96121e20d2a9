/** Shows an answer of the API: while it loads, when it fails, and when it is there. */
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
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
  /** Of a view whose heading is in the answer: shown in its place. */
  heading?: string
  children(answer: T): ReactNode
}

export function Remote<T>({ what, result, heading, children }: RemoteProps<T>) {
  if (result.data !== undefined)
    return (
      <>
        <StaleAnswer result={result} />
        <ErrorBoundary what={what} {...(heading !== undefined && { heading })}>
          <Answer answer={result.data}>{children}</Answer>
        </ErrorBoundary>
      </>
    )
  const state = result.error ? (
    <Failure title={`Cannot read ${what}`} error={result.error} retry={() => result.refetch()} />
  ) : (
    <Reading what={what} />
  )
  if (heading === undefined) return state
  return (
    <SpaceBetween size="m">
      <Header variant="h1">{heading}</Header>
      {state}
    </SpaceBetween>
  )
}

/** A component of its own, so that the boundary catches what `children` throws. */
const Answer = <T,>({ answer, children }: { answer: T; children(answer: T): ReactNode }) => children(answer)
