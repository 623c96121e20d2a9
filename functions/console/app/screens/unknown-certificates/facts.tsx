/** The facts of an unknown certificate at its connector, each apart. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import { factRows } from '../../../../../shared/tls/certificate-facts-text.ts'
import type { UnknownCertificate } from '../../api/types.ts'
import { Pairs } from '../../components/pairs.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'

export function Facts({ certificate }: { certificate: UnknownCertificate }) {
  const { facts, presented, tenant, ip, senderDomain, firstSeen, lastSeen, seenCount } = certificate
  const rows = [...factRows(facts, presented), ...(tenant === null ? [] : [['Tenant', tenant] as const])]
  return (
    <Container
      header={
        <Header variant="h2" description="At the last presentation. No fact depends on another.">
          What is known of the certificate
        </Header>
      }
    >
      <Pairs
        columns={3}
        items={[
          ...rows.map(([label, text]) => ({ label, value: <TextOfOthers text={text} /> })),
          { label: 'Client', value: <TextOfOthers text={ip} /> },
          { label: 'Sender’s domain', value: <TextOfOthers text={senderDomain ?? 'none'} /> },
          { label: 'First presented', value: <Time at={firstSeen} /> },
          { label: 'Last presented', value: <Time at={lastSeen} /> },
          { label: 'How often', value: `at least ${countText(seenCount, 'time')}` },
        ]}
      />
    </Container>
  )
}
