/** The report on mail that waits now. Pure. */
import type { WaitingGroup } from '../../messages/waiting-groups.ts'
import type { CountedRows } from './count-report.ts'
import { type ReportColumn, sum, text } from './report.ts'

export const queuedColumns: readonly ReportColumn[] = [
  text('domain', 'the other side: the sender of held mail, otherwise the recipient'),
  text('direction', 'Incoming or Originating'),
  text('reason', 'of the last decision'),
  text('connector', 'name of the connector that decided'),
  sum('count', 'recipients'),
  { name: 'oldest', type: 'time', description: 'time of receipt of the oldest message' },
  { name: 'expires', type: 'time', description: 'when the first recipient bounces' },
]

/** @param groups the group that expires first is the first */
export const queued = (
  groups: readonly WaitingGroup[],
  connectorName: (id: string) => string,
): CountedRows => ({
  rows: groups.map(({ partner, direction, reason, connector, recipients, oldest, expires }) => ({
    domain: partner,
    direction,
    reason,
    connector: connector === null ? null : connectorName(connector),
    count: recipients,
    oldest,
    expires,
  })),
  samples: groups.map(({ samples }) => samples),
})
