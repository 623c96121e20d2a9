/** The result of a search for older mail: its state, its rows, its cost, and what it cannot have found. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { useQuery } from '@tanstack/react-query'
import { costText } from '../../../../../shared/event-queries/cost-text.ts'
import type { ApiError } from '../../api/api-error.ts'
import type { MessageSearchResult } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { ListTable } from './list-table.tsx'
import { messageColumns } from './message-columns.tsx'
import { foundRows } from './message-rows.ts'
import { missingSince } from './search-period.ts'
import type { TableParts } from './table-parts.ts'

const pollMs = 1500
/** The address of the CSV lasts fifteen minutes. */
const renewMs = 600_000

export function SearchResults({ state, change, now: _, actions, ...parts }: TableParts) {
  const api = useApi()
  const path = `/message-searches/${encodeURIComponent(state.search ?? '')}`
  const query = { cursor: state.cursor, limit: 100 }
  const result = useQuery<MessageSearchResult, ApiError>({
    queryKey: [path, query],
    queryFn: ({ signal }) => api.get<MessageSearchResult>(path, query, signal),
    refetchInterval: ({ state: { data } }) =>
      data === undefined ? false : data.state === 'Running' ? pollMs : renewMs,
  })
  const { data } = result
  const hasEnded = data !== undefined && data.state !== 'Running'
  return (
    <SpaceBetween size="m">
      {data && <Outcome search={data} />}
      {data && <Missing state={state} completeUntil={data.completeUntil} change={change} />}
      <ListTable
        {...parts}
        title="Older mail"
        description="Found in the recorded events, newest first."
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => change({ search: '', cursor: '' })}>Back to the trace</Button>
            {data?.csv ? (
              <Button iconName="download" href={data.csv} target="_blank">
                CSV
              </Button>
            ) : null}
          </SpaceBetween>
        }
        columns={messageColumns}
        trackBy="key"
        result={result}
        rows={hasEnded ? foundRows(data.rows) : undefined}
        nextCursor={data?.nextCursor}
        empty={
          <SpaceBetween size="xs" alignItems="center">
            <b>{data?.state === 'Succeeded' ? 'No mail was found' : 'There are no rows'}</b>
            <Box color="text-body-secondary">Choose another period or remove filters, then search again.</Box>
          </SpaceBetween>
        }
      />
    </SpaceBetween>
  )
}

const isOnThisMachine = (): boolean => ['127.0.0.1', '[::1]', 'localhost'].includes(location.hostname)

function Outcome({ search }: { search: MessageSearchResult }) {
  if (search.state === 'Running')
    return <StatusIndicator type="in-progress">The search is running</StatusIndicator>
  const cost = costText({ ...search, isBilled: !isOnThisMachine() })
  if (search.state === 'Succeeded') return <StatusIndicator type="success">{cost}</StatusIndicator>
  return (
    <Alert
      type="error"
      header={search.state === 'Cancelled' ? 'The search was cancelled' : 'The search failed'}
    >
      {search.reason !== null && <TextOfOthers text={search.reason} />} A search that reads too much is
      cancelled: choose a shorter period. {cost}
    </Alert>
  )
}

interface MissingProps extends Pick<TableParts, 'state' | 'change'> {
  completeUntil: string | null
}

function Missing({ state, completeUntil, change }: MissingProps) {
  const since = missingSince(state, completeUntil)
  if (since === null) return null
  return (
    <Alert
      type="info"
      header="New mail may be missing"
      action={
        <Button onClick={() => change({ from: since, last: '', search: '', cursor: '' })}>
          Show it in the trace
        </Button>
      }
    >
      Mail that was received from <Time at={since} /> on may not be in this search yet. Searches find it
      within two hours.
    </Alert>
  )
}
