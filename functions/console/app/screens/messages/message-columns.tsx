/** The columns of messages, as the command line lists them. The time leads to the message instead of an id. */
import type { TableProps } from '@cloudscape-design/components/table'
import { timeWidth } from '../../components/column-widths.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { MessageState } from '../message/message-state.tsx'
import type { MessageRow } from './message-rows.ts'

export const messageColumns: TableProps.ColumnDefinition<MessageRow>[] = [
  {
    id: 'received',
    header: 'Received',
    isRowHeader: true,
    minWidth: timeWidth,
    cell: ({ id, receivedAt }) =>
      id === null ? (
        <Time at={receivedAt} />
      ) : (
        <ViewLink to={`/messages/${encodeURIComponent(id)}`}>
          <Time at={receivedAt} />
        </ViewLink>
      ),
  },
  {
    id: 'state',
    header: 'State',
    minWidth: 120,
    cell: ({ state, count }) => <MessageState state={state} count={count} />,
  },
  { id: 'from', header: 'From', minWidth: 160, cell: ({ from }) => <TextOfOthers text={from} /> },
  { id: 'to', header: 'To', minWidth: 172, cell: ({ to }) => <TextOfOthers text={to} /> },
  { id: 'inbound', header: 'Inbound', minWidth: 105, cell: ({ inbound }) => inbound },
  {
    id: 'outbound',
    header: 'Outbound, or reason',
    minWidth: 170,
    cell: ({ outbound }) => <TextOfOthers text={outbound} />,
  },
]
