/** The mail of the last 7 days by TLS version, in and out. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import type { Report } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { Pairs } from '../../components/pairs.tsx'
import { Remote } from '../../components/remote.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { shareText, type TlsCounts, tlsCounts } from './overview-numbers.ts'
import { refetchMs } from './refresh.ts'

const reportPath = '/reports/connector-tls'

/** The message trace knows the TLS of clients; of next hops, the report does. */
const inClearPaths = {
  Inbound: '/reports/in-transit?rows=None&direction=Inbound',
  Outbound: '/reports/in-transit?rows=None&direction=Outbound',
} as const
type Direction = keyof typeof inClearPaths

export function Encryption() {
  const result = useRead<Report>(reportPath, {}, refetchMs)
  return (
    <Container
      header={
        <Header variant="h2" description="Of all connections, also with your own servers.">
          TLS of mail in the last 7 days
        </Header>
      }
      fitHeight
    >
      <Remote what="the encryption of mail" result={result}>
        {(report) => (
          <Pairs
            columns={2}
            items={(['Inbound', 'Outbound'] as const).map((direction) => ({
              label: direction,
              value: <Mix direction={direction} counts={tlsCounts(report, direction)} />,
            }))}
          />
        )}
      </Remote>
    </Container>
  )
}

function Mix({ direction, counts }: { direction: Direction; counts: TlsCounts }) {
  const { tls13, tls12, inClear, unknown } = counts
  if (tls13 + tls12 + inClear + unknown === 0) return <ViewLink to={reportPath}>no mail</ViewLink>
  const line = (label: string, count: number) => (
    <div>
      {label}: <ViewLink to={reportPath}>{count.toLocaleString()}</ViewLink> {shareText(count, counts)}
    </div>
  )
  return (
    <>
      {line('TLS 1.3', tls13)}
      {line('TLS 1.2', tls12)}
      {inClear > 0 ? (
        <StatusIndicator type="warning">
          In the clear: <ViewLink to={inClearPaths[direction]}>{inClear.toLocaleString()}</ViewLink>{' '}
          {shareText(inClear, counts)}
        </StatusIndicator>
      ) : (
        <StatusIndicator type="success">None in the clear</StatusIndicator>
      )}
      {unknown > 0 && line('Through Amazon SES', unknown)}
    </>
  )
}
