/** The security restrictions of an outbound connector. */
import Container from '@cloudscape-design/components/container'
import ExpandableSection from '@cloudscape-design/components/expandable-section'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { AuthoritiesField, RevocationField, VersionField } from './certificate-fields.tsx'
import { ChoiceField, TextField } from './controls.tsx'
import { useForm } from './form.ts'

const rareFields = [
  'certificateAuthorities',
  'revocationCheck',
  'smtpDaneMode',
  'mtaStsMode',
  'clientCertificate',
  'expirationHours',
]

const policyItems = (records: string) => [
  {
    value: 'Opportunistic',
    label: 'Opportunistic',
    description: `${records} apply where no level is forced.`,
  },
  { value: 'Mandatory', label: 'Mandatory', description: 'Without usable ones, mail waits.' },
  { value: 'None', label: 'None', description: 'They are ignored.' },
]

export function OutboundSecurity() {
  const { draft, faultsOf } = useForm()
  const { route, tlsSettings } = draft.values
  const isSes = route === 'Ses'
  return (
    <SpaceBetween size="l">
      <Container>
        <SpaceBetween size="l">
          <ChoiceField
            name="tlsSettings"
            label="TLS level"
            description="What the server must show before mail is sent. Exchange: “Always use Transport Layer Security (TLS) to secure the connection”."
            items={[
              {
                value: null,
                label: 'Opportunistic',
                description: 'TLS where it works. Otherwise mail is sent in the clear.',
              },
              {
                value: 'EncryptionOnly',
                label: 'EncryptionOnly',
                description:
                  'TLS with any certificate. The level to begin with: it needs to know nothing of the servers. Exchange: “Any digital certificate, including self-signed certificates”.',
              },
              {
                value: 'CertificateValidation',
                label: 'CertificateValidation',
                description:
                  'A certificate of a trusted authority, for any name. Exchange: “Issued by a trusted certificate authority (CA)”.',
                disabled: isSes,
              },
              {
                value: 'DomainValidation',
                label: 'DomainValidation',
                description:
                  'A certificate of a trusted authority, for the name below. Exchange: “subject name or subject alternative name (SAN) matches this domain name”.',
                disabled: isSes,
              },
            ]}
          />
          {tlsSettings === 'DomainValidation' && (
            <TextField
              name="tlsDomain"
              label="Name in the certificate"
              description="Of the servers that receive the mail: with hosted mail, a name of the provider. A wrong name defers all mail. To find it, save the connector with EncryptionOnly and choose Validate on the partner’s page: it shows the names. *. stands for one label. Exchange fills in no name either."
              placeholder="mx.bank.example"
            />
          )}
          <VersionField />
        </SpaceBetween>
      </Container>
      <ExpandableSection
        variant="container"
        headerText="Fields that few connectors need"
        headerDescription="Authorities, revocation, DANE, MTA-STS, client certificate, expiry"
        defaultExpanded={rareFields.some((name) => faultsOf(name).length > 0)}
      >
        <SpaceBetween size="l">
          <AuthoritiesField />
          <RevocationField />
          <ChoiceField name="smtpDaneMode" label="DANE (TLSA records)" items={policyItems('TLSA records')} />
          <ChoiceField name="mtaStsMode" label="MTA-STS" items={policyItems('The domain’s policies')} />
          {!isSes && (
            <TextField
              name="clientCertificate"
              label="Client certificate"
              description="NAME of the secret mailflow/client-certificates/NAME, presented to a server that requests a certificate. Empty: none."
            />
          )}
          <TextField
            name="expirationHours"
            label="Hours until a message expires"
            description="From 12 to 24. Then it bounces."
          />
        </SpaceBetween>
      </ExpandableSection>
    </SpaceBetween>
  )
}
