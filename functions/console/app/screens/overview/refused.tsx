/** What was refused in the session in the last 24 hours, by reason. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { hourMs } from '../../../../../shared/contract/durations.ts'
import type { Report } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { BreakableText } from '../../components/breakable-text.tsx'
import { Remote } from '../../components/remote.tsx'
import { useAtTime } from '../../components/use-at-time.ts'
import { ViewLink } from '../../components/view-link.tsx'
import { refusalCounts } from './overview-numbers.ts'
import { refetchMs } from './refresh.ts'

const shownReasons = 6

export function Refused() {
  const from = useAtTime((now) => new Date(Math.floor(now / hourMs) * hourMs - 24 * hourMs).toISOString())
  const result = useRead<Report>('/reports/rejected', { from }, refetchMs)
  return (
    <Container header={<Header variant="h2">Refused in the last 24 hours</Header>} fitHeight>
      <Remote what="the refusals" result={result}>
        {(report) => {
          const counts = refusalCounts(report)
          if (counts.length === 0)
            return <StatusIndicator type="success">Nothing was refused</StatusIndicator>
          const total = counts.reduce((sum, { count }) => sum + count, 0)
          return (
            <SpaceBetween size="xs">
              <div>
                <ViewLink to="/messages?state=Rejected">{total.toLocaleString()}</ViewLink> in the message
                trace;{' '}
                <ViewLink to="/reports/rejected?days=2&sort=reason">the report since yesterday</ViewLink> has
                the clients
              </div>
              <ul className="names">
                {counts.slice(0, shownReasons).map(({ reason, count }) => (
                  <li key={reason}>
                    <BreakableText text={reason} />: {count.toLocaleString()}
                  </li>
                ))}
              </ul>
            </SpaceBetween>
          )
        }}
      </Remote>
    </Container>
  )
}
