/** Mail that is held or deferred: how much, since when, and why. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { QueueList } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { BreakableText } from '../../components/breakable-text.tsx'
import { Pairs } from '../../components/pairs.tsx'
import { Remote } from '../../components/remote.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { queuesPath } from '../queues/queues-path.ts'
import type { WaitingKind } from '../queues/reason-text.ts'
import { type WaitingSummary, waitingSummary } from './overview-numbers.ts'
import { refetchMs } from './refresh.ts'

export function Waiting() {
  const result = useRead<QueueList>('/queues', {}, refetchMs)
  return (
    <Container header={<Header variant="h2">Mail that waits</Header>} fitHeight>
      <Remote what="the mail that waits" result={result}>
        {(queues) => (
          <Pairs
            columns={2}
            items={(['Held', 'Deferred'] as const).map((kind) => ({
              label: kind,
              value: <Summary kind={kind} summary={waitingSummary(queues, kind)} />,
            }))}
          />
        )}
      </Remote>
    </Container>
  )
}

function Summary({ kind, summary }: { kind: WaitingKind; summary: WaitingSummary }) {
  const { recipients, oldest, expires, reasons, mayBeMore } = summary
  const prefix = mayBeMore ? 'at least ' : ''
  if (recipients === 0)
    return mayBeMore ? (
      'none was found in the time of a request'
    ) : (
      <StatusIndicator type="success">none</StatusIndicator>
    )
  return (
    <SpaceBetween size="xxs">
      <ViewLink to={queuesPath({ kind })}>
        {prefix}
        {countText(recipients, 'recipient')}
      </ViewLink>
      {oldest && (
        <div>
          oldest of <Time at={oldest} />
        </div>
      )}
      {expires && (
        <div>
          the first bounces at <Time at={expires} />
        </div>
      )}
      <ul className="names">
        {reasons.map(({ reason, count }) => (
          <li key={reason}>
            <BreakableText text={reason} />:{' '}
            <ViewLink to={queuesPath({ reason })}>{count.toLocaleString()}</ViewLink>
          </li>
        ))}
      </ul>
    </SpaceBetween>
  )
}
