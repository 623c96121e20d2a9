/** The recorded events of a message, in the order of time. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Table, { type TableProps } from '@cloudscape-design/components/table'
import type { MessageEvents } from '../../api/types.ts'
import { timeOfEventWidth } from '../../components/column-widths.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { type EventRow, eventRows } from './event-rows.ts'

const columns: TableProps.ColumnDefinition<EventRow>[] = [
  {
    id: 'time',
    header: 'Time',
    isRowHeader: true,
    minWidth: timeOfEventWidth,
    cell: ({ at }) => <Time precision="Second" at={at} />,
  },
  { id: 'kind', header: 'Event', minWidth: 100, cell: ({ kind }) => kind },
  {
    id: 'recipient',
    header: 'Recipient',
    minWidth: 150,
    cell: ({ recipient }) => <TextOfOthers text={recipient} />,
  },
  { id: 'result', header: 'Result', minWidth: 100, cell: ({ result }) => result },
  {
    id: 'host',
    header: 'Host, TLS',
    minWidth: 150,
    cell: ({ host, tls }) => (
      <>
        <TextOfOthers text={host} />
        {tls !== '' && (
          <Box variant="small" display="block">
            {tls}
          </Box>
        )}
      </>
    ),
  },
  {
    id: 'explanation',
    header: 'Reply, or reason',
    minWidth: 220,
    cell: ({ explanation }) => <TextOfOthers text={explanation} />,
  },
]

const hasOneRecipient = (rows: readonly EventRow[]): boolean =>
  new Set(rows.map(({ recipient }) => recipient).filter(Boolean)).size === 1

export function EventsTable({ events, unreadSince }: MessageEvents) {
  const rows = eventRows(events)
  return (
    <SpaceBetween size="s">
      {unreadSince !== null && (
        <Alert type="info" header="Events are missing">
          Events from <Time precision="Second" at={unreadSince} /> on are too many to read now. Open this page
          again in two hours.
        </Alert>
      )}
      <Table
        header={
          <Header variant="h2" description="In the order of time. Events are kept longer than the trace.">
            Events
          </Header>
        }
        columnDefinitions={columns.filter(({ id }) => id !== 'recipient' || !hasOneRecipient(rows))}
        items={rows}
        trackBy="id"
        contentDensity="compact"
        wrapLines
        ariaLabels={{ tableLabel: 'Events of the message' }}
        empty="No events yet. They appear within seconds."
      />
    </SpaceBetween>
  )
}
