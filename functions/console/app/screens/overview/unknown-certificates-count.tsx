/** Certificates that partners present and their connectors do not accept. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { UnknownCertificateList } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { Remote } from '../../components/remote.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { refetchMs } from './refresh.ts'

export function UnknownCertificatesCount() {
  const result = useRead<UnknownCertificateList>('/certificates/unknown', { state: 'Open' }, refetchMs)
  return (
    <Container header={<Header variant="h2">Unknown certificates</Header>}>
      <Remote what="the unknown certificates" result={result}>
        {({ items, nextCursor }) =>
          items.length === 0 ? (
            <StatusIndicator type="success">None is presented</StatusIndicator>
          ) : (
            <StatusIndicator type="warning">
              <ViewLink to="/unknown-certificates">
                {nextCursor !== null && 'At least '}
                {countText(items.length, 'certificate')}
              </ViewLink>{' '}
              that connectors do not accept
            </StatusIndicator>
          )
        }
      </Remote>
    </Container>
  )
}
