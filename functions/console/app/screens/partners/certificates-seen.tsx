/** The certificates that a partner's servers and clients presented: those in use beside earlier ones. */
import Box from '@cloudscape-design/components/box'
import ColumnLayout from '@cloudscape-design/components/column-layout'
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import type { ObservedCertificates } from '../../api/types.ts'
import { useReadAll } from '../../api/use-read-all.ts'
import { Pairs } from '../../components/pairs.tsx'
import { Remote } from '../../components/remote.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { DaysLeft } from './days-left.tsx'
import type { Pair } from './partner-pairs.ts'

const limit = 100

export const kindTexts: Readonly<Record<ObservedCertificates['kind'], string>> = {
  Own: 'mailflow presents it',
  PartnerServer: 'server, for mail to the partner',
  PartnerClient: 'client, for mail from the partner',
}

export function CertificatesSeen({ pair: { inbound, outbound } }: { pair: Pair }) {
  const result = useReadAll<ObservedCertificates>('/certificates/observed', limit)
  const ids = [inbound?.id, outbound?.id]
  return (
    <Container
      header={
        <Header variant="h2" description="The one in use is first.">
          Certificates seen
        </Header>
      }
    >
      <Remote what="the certificates" result={result}>
        {(all) => {
          const seen = all.filter(({ connector }) => connector !== null && ids.includes(connector.id))
          return seen.length === 0 ? (
            <Box color="text-body-secondary">
              None yet. They appear with the next mail that these connectors apply to. A client’s certificate
              is recorded if the inbound connector requests one.
            </Box>
          ) : (
            <SpaceBetween size="l">
              {seen.map((observed) => (
                <Host key={`${observed.kind} ${observed.host}`} observed={observed} />
              ))}
            </SpaceBetween>
          )
        }}
      </Remote>
    </Container>
  )
}

function Host({ observed: { kind, host, certificates } }: { observed: ObservedCertificates }) {
  return (
    <SpaceBetween size="xs">
      <Header variant="h3" description={kindTexts[kind]}>
        <TextOfOthers text={host} />
      </Header>
      <ColumnLayout columns={certificates.length > 1 ? 2 : 1} borders="vertical">
        {certificates.map((certificate) => (
          <Certificate key={certificate.fingerprint256} certificate={certificate} />
        ))}
      </ColumnLayout>
    </SpaceBetween>
  )
}

type SeenCertificate = ObservedCertificates['certificates'][number]

const useTexts: Readonly<Record<SeenCertificate['use'], string>> = {
  InUse: 'the last one that was presented',
  Superseded: 'another one was presented later',
  NotSeen: 'not presented for 30 days',
}

function Certificate({ certificate }: { certificate: SeenCertificate }) {
  const { subject, issuer, subjectAltNames, use, daysLeft, notAfter, firstSeen, lastSeen } = certificate
  return (
    <Pairs
      columns={2}
      items={[
        {
          label: 'Use',
          value: (
            <>
              <StatusIndicator type={use === 'InUse' ? 'success' : 'stopped'}>{use}</StatusIndicator>
              <div>{useTexts[use]}</div>
            </>
          ),
        },
        {
          label: 'Expires',
          value: (
            <>
              <Time at={notAfter} /> (<DaysLeft days={daysLeft} />)
            </>
          ),
        },
        { label: 'Subject', value: <TextOfOthers text={subject} /> },
        { label: 'Names', value: <TextOfOthers text={subjectAltNames.join(', ') || 'none'} /> },
        { label: 'Issuer', value: <TextOfOthers text={issuer} /> },
        {
          label: 'Seen',
          value: (
            <>
              <Time at={firstSeen} /> to <Time at={lastSeen} />
            </>
          ),
        },
        {
          label: 'SHA-256 fingerprint',
          value: <TextOfOthers text={certificate.fingerprint256} />,
        },
        {
          label: 'Fingerprint of the key',
          value: <TextOfOthers text={certificate.publicKeyFingerprint256 ?? 'unreadable'} />,
        },
      ]}
    />
  )
}
