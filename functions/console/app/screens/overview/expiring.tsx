/** Certificates that expire soon, by the days that are left. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import type { ObservedCertificatesList } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { Remote } from '../../components/remote.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { DaysLeft } from '../partners/days-left.tsx'
import { expiringCertificates } from './overview-numbers.ts'
import { refetchMs } from './refresh.ts'

const expiringWithinDays = 30
const shown = 6

export const expiringQuery = { expiringWithinDays } as const

export function Expiring() {
  const result = useRead<ObservedCertificatesList>('/certificates/observed', expiringQuery, refetchMs)
  return (
    <Container header={<Header variant="h2">Certificates</Header>}>
      <Remote what="the certificates" result={result}>
        {({ items, nextCursor }) => {
          const expiring = expiringCertificates(items)
          if (expiring.length === 0)
            return (
              <StatusIndicator type="success">None expires within {expiringWithinDays} days</StatusIndicator>
            )
          return (
            <SpaceBetween size="xs">
              <div>
                {nextCursor !== null && 'At least '}
                {expiring.length.toLocaleString()} in use expire within {expiringWithinDays} days
              </div>
              <ul className="names">
                {expiring.slice(0, shown).map(({ host, connector, daysLeft, notAfter }) => (
                  <li key={`${connector?.id} ${host}`}>
                    {connector === null ? (
                      <TextOfOthers text={host} />
                    ) : (
                      <ViewLink to={`/partners/${encodeURIComponent(connector.id)}`}>
                        <TextOfOthers text={connector.name} />
                      </ViewLink>
                    )}
                    : <DaysLeft days={daysLeft} /> (<Time at={notAfter} />)
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
