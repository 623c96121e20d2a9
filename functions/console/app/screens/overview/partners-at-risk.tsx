/** Partners whose connectors have warnings, whose validation failed, or whose certificate expires soon. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { useMemo } from 'react'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { ObservedCertificatesList } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { Remote } from '../../components/remote.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { partnerRows } from '../partners/partner-rows.ts'
import { usePairs } from '../partners/use-connectors.ts'
import { expiringQuery } from './expiring.tsx'
import { atRisk } from './overview-numbers.ts'
import { refetchMs } from './refresh.ts'

const shownPartners = 5
const nothing = { rows: [] }

export function PartnersAtRisk() {
  const { inbound, outbound, pairs } = usePairs()
  const certificates = useRead<ObservedCertificatesList>('/certificates/observed', expiringQuery, refetchMs)
  const rows = useMemo(
    () =>
      partnerRows(pairs ?? [], {
        ...{ tls: nothing, rejected: nothing, queues: { items: [] } },
        certificates: certificates.data?.items ?? [],
      }),
    [pairs, certificates.data],
  )
  const risky = atRisk(rows)
  return (
    <Container header={<Header variant="h2">Partners at risk</Header>} fitHeight>
      <Remote what="the inbound connectors" result={inbound}>
        {() => (
          <Remote what="the outbound connectors" result={outbound}>
            {() =>
              rows.length === 0 ? (
                <ViewLink to="/partners">There are no connectors yet</ViewLink>
              ) : risky.length === 0 ? (
                <StatusIndicator type="success">No connector has a warning</StatusIndicator>
              ) : (
                <SpaceBetween size="xs">
                  <StatusIndicator type="warning">
                    <ViewLink to="/partners">
                      {risky.length.toLocaleString()} of {rows.length.toLocaleString()}
                    </ViewLink>{' '}
                    pairs of connectors have warnings
                  </StatusIndicator>
                  <ul className="names">
                    {risky.slice(0, shownPartners).map(({ pair, title, warnings }) => (
                      <li key={pair.name}>
                        <ViewLink to={`/partners/${encodeURIComponent(pair.name)}`}>{title}</ViewLink>:{' '}
                        {countText(warnings.length, 'warning')}
                      </li>
                    ))}
                  </ul>
                </SpaceBetween>
              )
            }
          </Remote>
        )}
      </Remote>
    </Container>
  )
}
