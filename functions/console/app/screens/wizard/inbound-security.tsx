/** The security restrictions of an inbound connector. */
import Container from '@cloudscape-design/components/container'
import ExpandableSection from '@cloudscape-design/components/expandable-section'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { AuthoritiesField, RevocationField, VersionField } from './certificate-fields.tsx'
import { FlagField, TextField } from './controls.tsx'
import { useForm } from './form.ts'

const rareFields = [
  'certificateAuthorities',
  'revocationCheck',
  'requireClientAuthEku',
  'treatMessagesAsInternal',
  'messageRateLimit',
]

export function InboundSecurity() {
  const { draft, faultsOf } = useForm()
  const isPartner = draft.values.connectorType === 'Partner'
  return (
    <SpaceBetween size="l">
      <Container>
        <SpaceBetween size="l">
          <FlagField
            name="requireTls"
            label="Require TLS"
            description="Mail in the clear is not accepted. A connector that lists a certificate needs it. Exchange: “Reject email messages if they aren’t sent over TLS”."
          />
          <VersionField />
          {isPartner && (
            <FlagField
              name="requireDmarc"
              label="Require DMARC"
              description="Mail with MAIL FROM or From: of these domains must pass DMARC. Exchange has no such restriction."
            />
          )}
        </SpaceBetween>
      </Container>
      <ExpandableSection
        variant="container"
        headerText="Fields that few connectors need"
        headerDescription="Authorities, revocation, and limits"
        defaultExpanded={rareFields.some((name) => faultsOf(name).length > 0)}
      >
        <SpaceBetween size="l">
          <AuthoritiesField />
          <RevocationField />
          <FlagField
            name="requireClientAuthEku"
            label="Only certificates for client authentication"
            description="An authority’s certificate must have been issued for client authentication (requireClientAuthEku)."
          />
          <TextField
            name="messageRateLimit"
            label="Messages per minute"
            description="Further messages are refused with 451. Empty: unlimited."
          />
          {!isPartner && (
            <FlagField
              name="treatMessagesAsInternal"
              label="Treat messages as internal"
              description="Their mail is not authenticated (SPF, DKIM, DMARC). Exchange: “Retain internal Exchange email headers”."
            />
          )}
        </SpaceBetween>
      </ExpandableSection>
    </SpaceBetween>
  )
}
