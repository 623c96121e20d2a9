/** Connectors as an administrator writes them, with the test's changes. */
import {
  InboundConnectorInput,
  type OutboundConnectorInput,
  outboundConnectorInput,
} from '../../shared/connectors/schema.ts'

/** The schema of a deployment whose default route is Mx. */
export const outboundSchema = outboundConnectorInput('Mx')

export const inboundInput = (changes: Partial<InboundConnectorInput> = {}): InboundConnectorInput =>
  InboundConnectorInput.parse({
    name: 'Contoso',
    connectorType: 'Partner',
    senderDomains: ['contoso.example'],
    ...changes,
  })

export const outboundInput = (changes: Partial<OutboundConnectorInput> = {}): OutboundConnectorInput =>
  outboundSchema.parse({
    name: 'Northwind',
    connectorType: 'Partner',
    recipientDomains: ['northwind.example'],
    ...changes,
  })
