/** Shows that a part of a view failed, in place of an empty page. The other parts stay. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import ExpandableSection from '@cloudscape-design/components/expandable-section'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useQueryClient } from '@tanstack/react-query'
import { Component, type ReactNode } from 'react'
import { ViewNotLoaded } from '../lazy-view.ts'

interface ErrorBoundaryProps {
  /** What is shown here, as in "this view". */
  what: string
  /** In place of the heading of a view, which failed with it. */
  heading?: string
  children: ReactNode
}

export class ErrorBoundary extends Component<ErrorBoundaryProps, { error: unknown }> {
  override state: { error: unknown } = { error: null }

  static getDerivedStateFromError(error: unknown) {
    return { error: error ?? new Error('unknown') }
  }

  override render() {
    const { error } = this.state
    if (error === null) return this.props.children
    return (
      <SpaceBetween size="m">
        {this.props.heading && <Box variant="h1">{this.props.heading}</Box>}
        <Fault what={this.props.what} error={error} retry={() => this.setState({ error: null })} />
      </SpaceBetween>
    )
  }
}

interface FaultProps {
  what: string
  error: unknown
  retry(): void
}

function Fault({ what, error, retry }: FaultProps) {
  const queries = useQueryClient()
  // The answer that could not be shown must not be shown again.
  const readAgain = async () => {
    queries.removeQueries({ type: 'inactive' })
    await queries.refetchQueries({ type: 'active' })
    retry()
  }
  const reload = <Button onClick={() => location.reload()}>Reload the page</Button>
  if (error instanceof ViewNotLoaded)
    return (
      <Alert type="error" header={`Cannot load ${what}`} action={reload}>
        {error.message}
      </Alert>
    )
  return (
    <Alert
      type="error"
      header={`Cannot show ${what}`}
      action={
        <SpaceBetween direction="horizontal" size="xs">
          <Button onClick={() => void readAgain()}>Try again</Button>
          {reload}
        </SpaceBetween>
      }
    >
      The console failed to show an answer of the API. Try again, or reload the page to get the newest version
      of the console.
      <ExpandableSection headerText="For a report of this fault">
        {error instanceof Error ? `${error.name}: ${error.message}` : String(error)}
      </ExpandableSection>
    </Alert>
  )
}
