/** The mail that a change of connectors can concern, by its domains. Other mail needs no decision. Pure. */
import type { InboundConnector, OutboundConnector } from '../connectors/schema.ts'

/** Patterns of domains: a domain, or `*.` and a domain. */
export type MailScope =
  | 'All'
  | {
      senders: readonly string[]
      recipients: readonly string[]
      /** Whether mail of which the domain of From: is not known is in the scope. */
      hasUnknownFrom?: boolean
      /** Ids of inbound connectors whose refusals are in the scope also if they are counted together, without the sender. */
      connectors?: readonly string[]
    }

/**
 * @param inbound each changed inbound connector before and after the change
 * @param outbound likewise
 * @param acceptedDomains of the pattern `allAcceptedDomains`
 */
export function mailScope(
  inbound: readonly InboundConnector[],
  outbound: readonly OutboundConnector[],
  acceptedDomains: Iterable<string>,
): MailScope {
  // An OnPremises connector identifies a client by its certificate or address.
  if (inbound.some(({ connectorType }) => connectorType === 'OnPremises')) return 'All'
  const senders = inbound.flatMap(({ senderDomains }) => senderDomains)
  const recipients = outbound.flatMap(({ recipientDomains, allAcceptedDomains }) => [
    ...recipientDomains,
    ...(allAcceptedDomains ? acceptedDomains : []),
  ])
  if ([...senders, ...recipients].includes('*')) return 'All'
  return {
    senders: [...new Set(senders)],
    recipients: [...new Set(recipients)],
    hasUnknownFrom: inbound.some(({ requireDmarc, mode }) => requireDmarc && mode === 'Enforce'),
    connectors: [...new Set(inbound.map(({ id }) => id))],
  }
}
