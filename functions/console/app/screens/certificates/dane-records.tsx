/** The TLSA records to publish, so that senders that use DANE accept the certificates. */
import Container from '@cloudscape-design/components/container'
import CopyToClipboard from '@cloudscape-design/components/copy-to-clipboard'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import type { PublishedCertificates } from '../../api/types.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { tlsaSentences } from './rotation.ts'

export function DaneRecords({ published: { tlsaRecords, nextTlsa } }: { published: PublishedCertificates }) {
  return (
    <Container
      header={
        <Header
          variant="h2"
          description="For senders that use DANE, publish these in a zone that is signed with DNSSEC: those of the current and the next certificates, before the rotation."
        >
          Records for DANE
        </Header>
      }
    >
      <SpaceBetween size="m">
        {nextTlsa !== undefined && (
          <div>
            <StatusIndicator type={nextTlsa.state === 'Visible' ? 'success' : 'warning'}>
              {nextTlsa.state}: {tlsaSentences[nextTlsa.state]}
            </StatusIndicator>
            <div>
              Since <Time at={nextTlsa.since} />
              {nextTlsa.usableFrom !== null && (
                <>
                  ; not presented before <Time at={nextTlsa.usableFrom} />
                </>
              )}
            </div>
          </div>
        )}
        {tlsaRecords.length === 0 ? 'None.' : tlsaRecords.map((text) => <DnsRecord key={text} text={text} />)}
      </SpaceBetween>
    </Container>
  )
}

const DnsRecord = ({ text }: { text: string }) => (
  <div className="dns-record">
    <code>
      <TextOfOthers text={text} />
    </code>
    <CopyToClipboard
      variant="icon"
      textToCopy={text}
      copyButtonAriaLabel="Copy the record"
      copySuccessText="Copied"
      copyErrorText="The browser did not copy it"
    />
  </div>
)
