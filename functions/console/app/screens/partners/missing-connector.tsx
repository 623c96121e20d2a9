/** The direction of a partner that has no connector. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Container from '@cloudscape-design/components/container'
import ExpandableSection from '@cloudscape-design/components/expandable-section'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useLocation } from 'wouter'
import { firstNames } from '../../../../../shared/policy/text-lists.ts'
import { useMay } from '../../api/use-roles.ts'
import type { ConnectorDirection } from './connector-text.ts'

const shownNames = 6

interface MissingConnectorProps {
  direction: ConnectorDirection
  domains: readonly string[]
}

export function MissingConnector({ direction, domains }: MissingConnectorProps) {
  const [, navigate] = useLocation()
  const mayAdminister = useMay('administer')
  const isInbound = direction === 'inbound'
  const names = firstNames(domains, shownNames)
  const example = isInbound
    ? {
        inboundConnectors: [{ name: `From ${domains[0]}`, connectorType: 'Partner', senderDomains: domains }],
      }
    : {
        outboundConnectors: [
          {
            name: `To ${domains[0]}`,
            connectorType: 'Partner',
            recipientDomains: domains,
            tlsSettings: 'EncryptionOnly',
          },
        ],
      }
  const file = (
    <Box variant="code">
      <span className="text-of-others">{JSON.stringify(example, null, 1)}</span>
    </Box>
  )
  return (
    <Container
      fitHeight
      header={<Header variant="h2">{isInbound ? 'No inbound connector' : 'No outbound connector'}</Header>}
    >
      <SpaceBetween size="s">
        <Box>
          {isInbound
            ? `No connector of a partner names ${names} as senders. Unless another connector applies, their mail is accepted in the clear.`
            : `No connector of a partner names ${names} as recipients. Unless another connector applies, mail to them is sent in the clear where TLS does not work.`}
        </Box>
        {mayAdminister && (
          <Button
            onClick={() =>
              navigate(`/partners/add?${new URLSearchParams({ domain: domains[0] ?? '', direction })}`)
            }
          >
            Add the {direction} connector
          </Button>
        )}
        <ExpandableSection headerText="With the command line">
          <Box>Write this to a file, and apply it with “npx mailflow connectors apply -f FILE”:</Box>
          {file}
        </ExpandableSection>
      </SpaceBetween>
    </Container>
  )
}
