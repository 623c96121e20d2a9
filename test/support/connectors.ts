/** Connectors as an administrator writes them, with the test's changes. */
import { InboundConnectorInput, OutboundConnectorInput } from '../../shared/connectors/schema.ts'

export const inboundInput = (changes: Partial<InboundConnectorInput> = {}): InboundConnectorInput =>
  InboundConnectorInput.parse({
    name: 'Contoso',
    connectorType: 'Partner',
    senderDomains: ['contoso.example'],
    ...changes,
  })

export const outboundInput = (changes: Partial<OutboundConnectorInput> = {}): OutboundConnectorInput =>
  OutboundConnectorInput.parse({
    name: 'Northwind',
    connectorType: 'Partner',
    recipientDomains: ['northwind.example'],
    ...changes,
  })
