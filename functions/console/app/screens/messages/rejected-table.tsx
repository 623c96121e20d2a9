/** What was refused in SMTP sessions. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import SpaceBetween from '@cloudscape-design/components/space-between'
import type { TableProps } from '@cloudscape-design/components/table'
import type { RejectedEventList } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { numberColumn } from '../../components/number-column.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { senderText } from '../message/session-text.ts'
import { ListTable } from './list-table.tsx'
import type { TableParts } from './table-parts.ts'
import { apiQuery, toViewChange } from './trace-filters.ts'

type Refusal = RejectedEventList['items'][number]

const columns: TableProps.ColumnDefinition<Refusal>[] = [
  {
    id: 'refused',
    header: 'Refused',
    isRowHeader: true,
    minWidth: 120,
    cell: ({ id, at }) => (
      <ViewLink to={`/messages/${id}`}>
        <Time at={at} />
      </ViewLink>
    ),
  },
  numberColumn('count', 'Count', ({ count = 1 }) => count),
  {
    id: 'client',
    header: 'Client',
    minWidth: 130,
    cell: ({ clientIp = '', helo }) => (
      <>
        <TextOfOthers text={clientIp} />
        {helo !== undefined && (
          <Box variant="small" display="block">
            <TextOfOthers text={helo} />
          </Box>
        )}
      </>
    ),
  },
  { id: 'stage', header: 'Stage', minWidth: 90, cell: ({ stage = '' }) => stage },
  {
    id: 'from',
    header: 'From',
    minWidth: 150,
    cell: ({ sender }) => sender !== undefined && <TextOfOthers text={senderText(sender)} />,
  },
  {
    id: 'to',
    header: 'To',
    minWidth: 150,
    cell: ({ recipient }) => recipient !== undefined && <TextOfOthers text={recipient} />,
  },
  {
    id: 'reply',
    header: 'Reply and reason',
    minWidth: 200,
    cell: ({ reply, reason }) => (
      <>
        {reply !== undefined && <TextOfOthers text={reply} />}
        {reason !== undefined && (
          <Box variant="small" display="block">
            <TextOfOthers text={reason} />
          </Box>
        )}
      </>
    ),
  },
]

export function RejectedTable({ state, change, now, ...parts }: TableParts) {
  const result = useRead<RejectedEventList>('/messages', {
    ...apiQuery(state, now),
    cursor: state.cursor,
    limit: 50,
  })
  return (
    <ListTable
      {...parts}
      title="Refused in the session"
      description="mailflow did not accept these: the sender's server tries again later or notifies its sender. Refusals of an attack are counted together."
      columns={columns}
      trackBy="id"
      result={result}
      rows={result.data?.items}
      nextCursor={result.data?.nextCursor}
      empty={
        <SpaceBetween size="xs" alignItems="center">
          <b>Nothing was refused</b>
          <Box color="text-body-secondary">Choose a longer period, or remove filters.</Box>
          <Button onClick={() => change(toViewChange({ state: 'Rejected' }))}>
            Remove the other filters
          </Button>
        </SpaceBetween>
      }
    />
  )
}
