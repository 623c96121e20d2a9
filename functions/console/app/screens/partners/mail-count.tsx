/** How much mail a change of a connector concerns, from the report that its page shows. */
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import type { ConnectorDirection } from './connector-text.ts'
import { mailCountText } from './partner-numbers.ts'
import type { Pair } from './partner-pairs.ts'
import { SoFar } from './so-far.tsx'
import { useScopedReport } from './use-scoped-report.ts'

const days = 7

export function MailCount({ pair, direction }: { pair: Pair; direction: ConnectorDirection }) {
  const { rows, soFar, error } = useScopedReport('connector-tls', pair, days)
  if (error)
    return (
      <StatusIndicator type="warning">
        The mail of the last {days} days was not counted: {error.message}
      </StatusIndicator>
    )
  if (rows === null)
    return <StatusIndicator type="loading">Counting the mail of the last {days} days</StatusIndicator>
  return (
    <div>
      <StatusIndicator type="info">
        <TextOfOthers text={mailCountText(pair, direction, rows, days)} />
      </StatusIndicator>
      {soFar !== null && <SoFar at={soFar} />}
    </div>
  )
}
