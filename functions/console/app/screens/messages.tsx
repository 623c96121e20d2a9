/** The message trace: finds messages and refusals, and older mail by a search. */
import Alert from '@cloudscape-design/components/alert'
import Button from '@cloudscape-design/components/button'
import Container from '@cloudscape-design/components/container'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useState } from 'react'
import { useViewState } from '../use-view-state.ts'
import { CsvButton } from './messages/csv-button.tsx'
import { FilterBar } from './messages/filter-bar.tsx'
import { RejectedTable } from './messages/rejected-table.tsx'
import { SearchButton } from './messages/search-button.tsx'
import { SearchResults } from './messages/search-results.tsx'
import type { TableParts } from './messages/table-parts.ts'
import { readRange, traceCoverage, traceRetentionDays } from './messages/time-range.ts'
import { apiQuery } from './messages/trace-filters.ts'
import { TraceTable } from './messages/trace-table.tsx'
import { useCursorPages } from './messages/use-cursor-pages.ts'

const retentionText = `The trace keeps messages for ${traceRetentionDays} days unless your deployment sets another time, and lists at most 31 days at once. The recorded events go back further.`

export default function Messages() {
  const [state, changeState] = useViewState()
  // Relative periods count from the last change or refresh, so that all pages show the same period.
  const [now, setNow] = useState(Date.now)
  const change = (changes: Readonly<Record<string, string>>) => {
    if (!('cursor' in changes) || changes.cursor === '') setNow(Date.now())
    changeState(changes)
  }
  const pages = useCursorPages(state, change)
  const parts: TableParts = {
    state,
    change,
    now,
    pages,
    filter: <FilterBar state={state} change={change} />,
    actions: (
      <SpaceBetween direction="horizontal" size="xs">
        <Button iconName="refresh" ariaLabel="Read the list again" onClick={() => change({ cursor: '' })} />
        <CsvButton query={apiQuery(state, now)} />
        <SearchButton state={state} change={change} />
      </SpaceBetween>
    ),
  }
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="What happened to each message: how it was received, why it was sent, held or refused, and what the next hop replied."
        >
          Message trace
        </Header>
      }
    >
      <Found {...parts} />
    </ContentLayout>
  )
}

function Found(parts: TableParts) {
  const { state, change, now, filter } = parts
  if (state.search !== undefined) return <SearchResults key={state.search} {...parts} />
  const coverage = traceCoverage(readRange(state), now)
  const offer = (
    <Alert
      type="info"
      header="The trace does not have the whole period"
      action={<SearchButton state={state} change={change} variant="primary" />}
    >
      {retentionText}
    </Alert>
  )
  if (coverage === 'TooLong')
    return (
      <Container>
        <SpaceBetween size="m">
          {filter}
          {offer}
        </SpaceBetween>
      </Container>
    )
  return (
    <SpaceBetween size="m">
      {coverage === 'Partial' && offer}
      {state.state === 'Rejected' ? <RejectedTable {...parts} /> : <TraceTable {...parts} />}
    </SpaceBetween>
  )
}
