/** What an administrator looks at first: what waits, what is in the clear, what was refused, what expires. */
import Box from '@cloudscape-design/components/box'
import ColumnLayout from '@cloudscape-design/components/column-layout'
import Container from '@cloudscape-design/components/container'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { useState } from 'react'
import type { ObservedCertificatesList, QueueList, Report } from '../api/types.ts'
import { useRead } from '../api/use-api.ts'
import { Remote } from '../components/remote.tsx'
import { Time } from '../components/time.tsx'
import { refusalCounts, tlsCounts, waitingSummary } from './overview-numbers.ts'

const refetchMs = 30_000
const dayMs = 86_400_000
const expiringWithinDays = 30

export default function Overview() {
  return (
    <ContentLayout header={<Header variant="h1">Overview</Header>}>
      <ColumnLayout columns={2}>
        <Waiting />
        <Refused />
        <Encryption />
        <Certificates />
      </ColumnLayout>
    </ContentLayout>
  )
}

function Waiting() {
  const result = useRead<QueueList>('/queues', {}, refetchMs)
  return (
    <Container header={<Header variant="h2">Mail that waits</Header>} fitHeight>
      <Remote what="the mail that waits" result={result}>
        {(queues) => {
          const { recipients, oldest, expires, mayBeMore } = waitingSummary(queues)
          return recipients === 0 ? (
            <StatusIndicator type="success">No mail waits</StatusIndicator>
          ) : (
            <KeyValuePairs
              columns={3}
              items={[
                { label: 'Recipients', value: `${mayBeMore ? 'at least ' : ''}${recipients}` },
                { label: 'Oldest message', value: oldest && <Time at={oldest} /> },
                { label: 'First returned', value: expires && <Time at={expires} /> },
              ]}
            />
          )
        }}
      </Remote>
    </Container>
  )
}

function Refused() {
  const [from] = useState(() =>
    new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - dayMs).toISOString(),
  )
  const result = useRead<Report>('/reports/rejected', { from }, refetchMs)
  return (
    <Container header={<Header variant="h2">Refused in the last 24 hours</Header>} fitHeight>
      <Remote what="the refusals" result={result}>
        {(report) => {
          const counts = refusalCounts(report)
          return counts.length === 0 ? (
            <StatusIndicator type="success">Nothing was refused</StatusIndicator>
          ) : (
            <KeyValuePairs
              columns={3}
              items={counts.slice(0, 6).map(({ reason, count }) => ({ label: reason, value: count }))}
            />
          )
        }}
      </Remote>
    </Container>
  )
}

function Encryption() {
  const result = useRead<Report>('/reports/connector-tls', {}, refetchMs)
  return (
    <Container header={<Header variant="h2">Encryption in the last 7 days</Header>} fitHeight>
      <Remote what="the encryption of mail" result={result}>
        {(report) => (
          <KeyValuePairs
            columns={2}
            items={(['Inbound', 'Outbound'] as const).map((direction) => {
              const { tls13, tls12, inClear, unknown } = tlsCounts(report, direction)
              return {
                label: direction,
                value: (
                  <Box>
                    <div>TLS 1.3: {tls13}</div>
                    <div>TLS 1.2: {tls12}</div>
                    {inClear > 0 ? (
                      <StatusIndicator type="warning">In the clear: {inClear}</StatusIndicator>
                    ) : (
                      <StatusIndicator type="success">None in the clear</StatusIndicator>
                    )}
                    {unknown > 0 && <div>Through Amazon SES: {unknown}</div>}
                  </Box>
                ),
              }
            })}
          />
        )}
      </Remote>
    </Container>
  )
}

function Certificates() {
  const result = useRead<ObservedCertificatesList>(
    '/certificates/observed',
    { expiringWithinDays },
    refetchMs,
  )
  return (
    <Container header={<Header variant="h2">Certificates</Header>} fitHeight>
      <Remote what="the certificates" result={result}>
        {({ items }) =>
          items.length === 0 ? (
            <StatusIndicator type="success">None expires within {expiringWithinDays} days</StatusIndicator>
          ) : (
            <KeyValuePairs
              columns={2}
              items={items.slice(0, 6).map(({ host, connector, certificates: [latest] }) => ({
                label: connector?.name ?? host,
                value: latest && (
                  <StatusIndicator type="warning">
                    expires <Time at={latest.notAfter} />
                  </StatusIndicator>
                ),
              }))}
            />
          )
        }
      </Remote>
    </Container>
  )
}
