/** Routing of outbound mail. For inbound mail: how the servers that send it are identified. */
import Container from '@cloudscape-design/components/container'
import ExpandableSection from '@cloudscape-design/components/expandable-section'
import FormField from '@cloudscape-design/components/form-field'
import Header from '@cloudscape-design/components/header'
import RadioGroup from '@cloudscape-design/components/radio-group'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { ChoiceField, faultTexts, ListField } from './controls.tsx'
import { useForm } from './form.ts'
import { TenantFields } from './tenant-fields.tsx'

export function RoutingStep() {
  const { draft } = useForm()
  return draft.direction === 'inbound' ? <Senders /> : <Route />
}

function Route() {
  const { draft } = useForm()
  return (
    <Container>
      <SpaceBetween size="l">
        <ChoiceField
          name="route"
          label="Route"
          items={[
            {
              value: 'Mx',
              label: 'To the MX hosts of the recipient’s domain',
              description: 'Exchange: “Use the MX record associated with the partner’s domain”. route: Mx',
            },
            {
              value: 'SmartHosts',
              label: 'Through smart hosts',
              description: 'Exchange: “Route email through these smart hosts”. route: SmartHosts',
            },
            {
              value: 'Ses',
              label: 'Through Amazon SES',
              description: 'It can require TLS, and cannot verify the partner’s certificate. route: Ses',
            },
          ]}
        />
        {draft.values.route === 'SmartHosts' && (
          <ListField
            name="smartHosts"
            label="Smart hosts"
            description="Host names or IP addresses. A port other than 25 stands behind a colon."
            noun="smart host"
            placeholder="relay.bank.example:2525"
          />
        )}
      </SpaceBetween>
    </Container>
  )
}

const restrictions = {
  None: { restrictDomainsToCertificate: false, restrictDomainsToIpAddresses: false },
  Certificate: { restrictDomainsToCertificate: true, restrictDomainsToIpAddresses: false },
  Addresses: { restrictDomainsToCertificate: false, restrictDomainsToIpAddresses: true },
} as const

function Senders() {
  const { draft, change, faultsOf } = useForm()
  const { values } = draft
  const isPartner = values.connectorType === 'Partner'
  const restriction =
    values.restrictDomainsToCertificate === true
      ? 'Certificate'
      : values.restrictDomainsToIpAddresses === true
        ? 'Addresses'
        : 'None'
  const restrictionFaults = ['restrictDomainsToCertificate', 'restrictDomainsToIpAddresses'].flatMap(faultsOf)
  return (
    <SpaceBetween size="l">
      <Container
        header={
          <Header
            variant="h2"
            description={
              isPartner
                ? 'Without a restriction, any server may send mail with the sender domains.'
                : 'A server that has one of these may relay.'
            }
          >
            {isPartner ? 'Servers that may send this mail' : 'How our servers are identified'}
          </Header>
        }
      >
        <SpaceBetween size="l">
          {isPartner && (
            <FormField label="Restriction" errorText={faultTexts(restrictionFaults)} stretch>
              <RadioGroup
                value={restriction}
                onChange={({ detail }) => change(restrictions[detail.value as keyof typeof restrictions])}
                items={[
                  { value: 'None', label: 'None' },
                  {
                    value: 'Certificate',
                    label: 'Only with a certificate that is listed',
                    description: 'The strongest proof of the server. restrictDomainsToCertificate',
                  },
                  {
                    value: 'Addresses',
                    label: 'Only from IP addresses that are listed',
                    description: 'restrictDomainsToIpAddresses',
                  },
                ]}
              />
            </FormField>
          )}
          <ListField
            name="tlsSenderCertificateNames"
            label="Names in the certificate"
            description="Of the client certificate. *. stands for one label. Exchange: the subject name on the certificate that the partner uses."
            noun="name"
            placeholder="mx.bank.example"
          />
          <ListField
            name="senderIpAddresses"
            label="IP addresses"
            description="IPv4 and IPv6, addresses or CIDR ranges. Exchange: “Reject email messages if they aren’t sent from within this IP address range”."
            noun="address"
            plural="addresses"
            placeholder="192.0.2.0/24"
          />
        </SpaceBetween>
      </Container>
      <ExpandableSection
        variant="container"
        headerText="Certificates by their fingerprints"
        defaultExpanded={
          values.certificateFingerprints !== '' || faultsOf('certificateFingerprints').length > 0
        }
      >
        <ListField
          name="certificateFingerprints"
          label="Fingerprints"
          description="SHA-256, 64 hexadecimal digits, with or without colons. Such a certificate needs no other proof, so a new one must be listed before the partner uses it."
          noun="fingerprint"
        />
      </ExpandableSection>
      {!isPartner && <TenantFields />}
    </SpaceBetween>
  )
}
