/** Use of the connector: the domains whose mail it is for. */
import Container from '@cloudscape-design/components/container'
import ExpandableSection from '@cloudscape-design/components/expandable-section'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { FlagField, ListField } from './controls.tsx'
import { DomainsInCommonWarning } from './domains-in-common-warning.tsx'
import { domainsInCommon } from './existing-connectors.ts'
import { useForm } from './form.ts'

const patterns = 'A domain; *.domain is the domain and every subdomain; * is every domain.'
const manyRows = 8

export function UseStep() {
  const { draft, others } = useForm()
  const found = domainsInCommon(draft, others)
  const inCommon = found.length > 0 && <DomainsInCommonWarning direction={draft.direction} found={found} />
  if (draft.direction === 'inbound')
    return (
      <SpaceBetween size="l">
        <Container>
          <ListField
            name="senderDomains"
            label="Sender domains"
            description={`${patterns} Exchange: “By verifying that the sender domain matches one of the following domains”.`}
            noun="domain"
            placeholder="bank.example"
            rows={manyRows}
            warnings={inCommon}
          />
        </Container>
        <ExpandableSection
          variant="container"
          headerText="Only for some recipients"
          defaultExpanded={draft.values.associatedAcceptedDomains !== ''}
        >
          <ListField
            name="associatedAcceptedDomains"
            label="Accepted domains of the recipients"
            description="The connector applies only to recipients in these domains. Empty: to all recipients."
            noun="domain"
          />
        </ExpandableSection>
      </SpaceBetween>
    )
  return (
    <Container>
      <SpaceBetween size="l">
        {draft.values.connectorType === 'OnPremises' && (
          <FlagField
            name="allAcceptedDomains"
            label="All accepted domains"
            description="Mail to every domain that the organisation receives mail for. Exchange: “For email messages sent to all accepted domains in your organization”."
          />
        )}
        <ListField
          name="recipientDomains"
          label="Recipient domains"
          description={`${patterns} Exchange: “Only when email messages are sent to these domains”.`}
          noun="domain"
          placeholder="bank.example"
          rows={manyRows}
          warnings={inCommon}
        />
      </SpaceBetween>
    </Container>
  )
}
