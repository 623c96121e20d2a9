/** A tenant of Exchange Online, with the replies that its servers give to a client that no connector identifies. */

import type { Identity } from './pki.ts'
import { type Partner, startPartner } from './smtp-partner.ts'

export interface TenantOptions {
  identity: Identity
  acceptedDomains?: readonly string[]
  mailboxes?: readonly string[]
  /** A Partner connector for every sender domain with RestrictDomainsToCertificate. */
  hasPartnerConnector?: boolean
  /** Set-OrganizationConfig -RejectDirectSend $true */
  rejectsDirectSend?: boolean
  /** The client's address is on a block list. */
  blocksClient?: boolean
  /** The reply to the end of data instead of 250. */
  answerToMessage?: string
}

const trailer = '[AM4PEPF00027A61.eurprd04.prod.outlook.com 2026-05-18T07:31:04.476Z 08DD3FA5DBC8F401]'

export function startTenant({
  identity,
  acceptedDomains = ['ours.example'],
  mailboxes = ['user@ours.example'],
  hasPartnerConnector = false,
  rejectsDirectSend = false,
  blocksClient = false,
  answerToMessage,
}: TenantOptions): Promise<Partner> {
  let isOwnSender = false
  const domainIn = (command: string) => /@([^>]+)>/.exec(command)?.[1] ?? ''
  const answer = (command: string): string | undefined => {
    if (command.startsWith('MAIL')) {
      isOwnSender = acceptedDomains.includes(domainIn(command))
      if (blocksClient)
        return `550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit https://sender.office.com/ ${trailer}`
    }
    if (!command.startsWith('RCPT')) return undefined
    if (!acceptedDomains.includes(domainIn(command)))
      return `550 5.7.64 TenantAttribution; Relay Access Denied ${trailer}`
    if (hasPartnerConnector)
      return `550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient domain. The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set ${trailer}`
    if (rejectsDirectSend && isOwnSender)
      return `550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources ${trailer}`
    if (!mailboxes.some((mailbox) => command.includes(`<${mailbox}>`)))
      return `550 5.4.1 Recipient address rejected: Access denied. AS(201806281) ${trailer}`
    return undefined
  }
  return startPartner({
    greeting: '220 AM4PEPF00027A61.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready',
    tls: { cert: identity.cert, key: identity.key },
    answer,
    answerToMessage: answerToMessage ?? '250 2.6.0 <m@ours.example> Queued mail for delivery',
  })
}
