/** The messages that the trace has, a row for each recipient. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import SpaceBetween from '@cloudscape-design/components/space-between'
import type { MessageList } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { ListTable } from './list-table.tsx'
import { messageColumns } from './message-columns.tsx'
import { traceRows } from './message-rows.ts'
import type { TableParts } from './table-parts.ts'
import { apiQuery, toViewChange } from './trace-filters.ts'

export function TraceTable({ state, change, now, ...parts }: TableParts) {
  const result = useRead<MessageList>('/messages', {
    ...apiQuery(state, now),
    cursor: state.cursor,
    limit: 50,
  })
  return (
    <ListTable
      {...parts}
      title="Messages"
      description="Newest first, with a row for each recipient."
      columns={messageColumns}
      trackBy="key"
      result={result}
      rows={result.data && traceRows(result.data.items)}
      nextCursor={result.data?.nextCursor}
      empty={
        <SpaceBetween size="xs" alignItems="center">
          <b>No messages match</b>
          <Box color="text-body-secondary">
            Choose a longer period or remove filters. What was refused in the session is listed with the state
            Rejected only.
          </Box>
          <SpaceBetween direction="horizontal" size="xs" alignItems="center">
            <Button onClick={() => change(toViewChange({}))}>Remove all filters</Button>
            <Button onClick={() => change({ state: 'Rejected', cursor: '' })}>Show what was refused</Button>
          </SpaceBetween>
        </SpaceBetween>
      }
    />
  )
}
