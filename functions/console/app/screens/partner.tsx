/** A partner: both connectors as one thing, its mail, certificates, validation, refusals and changes. */
import Alert from '@cloudscape-design/components/alert'
import ColumnLayout from '@cloudscape-design/components/column-layout'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useParams } from 'wouter'
import { firstNames } from '../../../../shared/policy/text-lists.ts'
import { Breadcrumbs } from '../components/breadcrumbs.tsx'
import { Remote } from '../components/remote.tsx'
import { ViewLink } from '../components/view-link.tsx'
import { visibleText } from '../visible-text.ts'
import { CertificatesSeen } from './partners/certificates-seen.tsx'
import { ConnectorCard } from './partners/connector-card.tsx'
import { History } from './partners/history.tsx'
import { MailNumbers } from './partners/mail-numbers.tsx'
import { MissingConnector } from './partners/missing-connector.tsx'
import { findPair, kindTexts, type Pair, titleOf } from './partners/partner-pairs.ts'
import { RefusalTable } from './partners/refusal-table.tsx'
import { SavedNotice, useSaved } from './partners/saved-notice.tsx'
import { usePairs } from './partners/use-connectors.ts'
import { Validation } from './partners/validation.tsx'
import { Warnings } from './partners/warnings.tsx'

/** Of a domain: RFC 1035 §2.3.4. */
const maxNameLength = 253

export default function Partner() {
  const parameters = useParams<{ name: string }>()
  const name = visibleText(parameters.name ?? '').slice(0, maxNameLength)
  const { inbound, outbound, pairs } = usePairs()
  const pair = pairs && findPair(pairs, name)
  return (
    <ContentLayout
      breadcrumbs={
        <Breadcrumbs above={[{ text: 'Partners', path: '/partners' }]} title={pair ? titleOf(pair) : name} />
      }
      header={
        <Header variant="h1" description={pair ? descriptionOf(pair) : undefined}>
          {pair ? titleOf(pair) : name}
        </Header>
      }
    >
      <Remote what="the inbound connectors" result={inbound}>
        {() => (
          <Remote what="the outbound connectors" result={outbound}>
            {() => (pair ? <PartnerContent pair={pair} /> : <NoSuchPartner name={name} />)}
          </Remote>
        )}
      </Remote>
    </ContentLayout>
  )
}

const descriptionOf = ({ kind, domains }: Pair): string =>
  domains.length === 0 || (kind === 'Partner' && domains.length === 1)
    ? kindTexts[kind]
    : `${kindTexts[kind]}: ${firstNames(domains, 6)}`

const NoSuchPartner = ({ name }: { name: string }) => (
  <Alert type="info" header={`No connector names ${name}`}>
    Its connectors may have been deleted, or their domains changed.{' '}
    <ViewLink to="/partners">All partners</ViewLink>
  </Alert>
)

function PartnerContent({ pair }: { pair: Pair }) {
  const { kind, domains, inbound, outbound } = pair
  const saved = useSaved()
  const key = `${inbound?.id} ${outbound?.id}`
  return (
    <SpaceBetween size="l" key={key}>
      {saved && <SavedNotice saved={saved} hasWarnings={(pair[saved.direction]?.warnings.length ?? 0) > 0} />}
      {outbound && saved?.direction === 'outbound' && <Validation connector={outbound} />}
      <Warnings pair={pair} />
      <ColumnLayout columns={kind === 'Partner' ? 2 : 1}>
        {inbound ? (
          <ConnectorCard connector={inbound} direction="inbound" pair={pair} />
        ) : (
          kind === 'Partner' && <MissingConnector direction="inbound" domains={domains} />
        )}
        {outbound ? (
          <ConnectorCard connector={outbound} direction="outbound" pair={pair} />
        ) : (
          kind === 'Partner' && <MissingConnector direction="outbound" domains={domains} />
        )}
      </ColumnLayout>
      <MailNumbers pair={pair} />
      {outbound && saved?.direction !== 'outbound' && <Validation connector={outbound} />}
      <CertificatesSeen pair={pair} />
      <RefusalTable pair={pair} />
      <History pair={pair} />
    </SpaceBetween>
  )
}
