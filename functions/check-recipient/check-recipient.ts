/**
 * A callout: asks the mailbox server of an accepted domain whether it accepts a recipient. The attack: a
 * compromised ingress makes this function connect to any host. The defence: the function takes an address only, and finds the
 * connector itself; other domains than those with `recipients: SmtpCallout` are not checked. Not covered: a mailbox
 * server that accepts every recipient.
 */
import { basicEnvelope, newRecipient } from '../../shared/contract/message.ts'
import type { CalloutResult } from '../../shared/contract/recipient-callout.ts'
import { domainOf } from '../../shared/mail/address.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import { traitsOf } from '../../shared/net/esmtp.ts'
import { findNextHops, type NextHop, type SmtpRoute } from '../../shared/net/next-hops.ts'
import {
  type AttemptPlan,
  isSafeInCommand,
  type OutboundMessage,
  planAttempt,
  type SmtpDeliveryOptions,
  sessionOptionsFor,
  withoutMtaStsForSmartHosts,
} from '../../shared/net/smtp-delivery.ts'
import { openSession } from '../../shared/net/smtp-session.ts'
import { requirementOf, routeOf, selectOutbound } from '../../shared/policy/outbound.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'
import { decideHop } from '../../shared/policy/transport-security.ts'
import { assessQuery } from './assess-reply.ts'

/**
 * Milliseconds. A client waits for the reply to RCPT, so a server that hangs must not hold it for long. Exchange delays a
 * refusal of a recipient by five seconds (TarpitInterval).
 */
export const calloutTimeouts = { connect: 3_000, greeting: 5_000, command: 8_000, data: 5_000 }

/** Never throws for a failure of the network or of a server. */
export async function checkRecipient(
  address: string,
  snapshot: Snapshot,
  options: SmtpDeliveryOptions,
): Promise<CalloutResult> {
  const found = findRoute(address, snapshot)
  if ('fault' in found) return undetermined(found.fault)
  const { route, mail } = found
  const smtp = withoutMtaStsForSmartHosts(route, options)
  const plan = await planAttempt(mail, smtp)
  if ('kind' in plan) return undetermined(formatReply(plan.reply))
  const { dane } = plan.publishedPolicies
  const nextHops = await findNextHops(route, smtp.resolver, { ...smtp, dane })
  if (nextHops.kind === 'NotFound') return undetermined(formatReply(nextHops.reply))
  let last = undetermined('the route leads to this gateway')
  for (const hop of nextHops.hops.filter(({ host }) => host !== smtp.ehloName)) {
    const result = await queryHop(hop, mail, plan, smtp)
    if (result.hasAnswered) return result.callout
    last = result.callout
    if (smtp.signal.aborted) break
  }
  return last
}

const undetermined = (detail: string): CalloutResult => ({ result: 'Undetermined', detail })

/** The route and the requirement of a delivery to the recipient, for a message with the null reverse path. */
function findRoute(
  address: string,
  snapshot: Snapshot,
): { route: SmtpRoute; mail: OutboundMessage } | { fault: string } {
  const domain = domainOf(address)
  if (domain === null || snapshot.recipientRules.get(domain)?.kind !== 'SmtpCallout')
    return { fault: 'the domain is not checked by callouts' }
  if (!isSafeInCommand(address)) return { fault: 'the address cannot be sent over SMTP' }
  const connector = selectOutbound(snapshot, domain)
  if (connector === null) return { fault: 'no outbound connector routes the domain' }
  const route = routeOf(connector, domain)
  if (route.kind !== 'Mx' && route.kind !== 'SmartHosts')
    return { fault: `connector "${connector.name}" sends through Amazon SES, which accepts any recipient` }
  return {
    route,
    mail: {
      message: { envelope: basicEnvelope('') },
      recipients: [newRecipient(address)],
      content: Buffer.alloc(0),
      tls: requirementOf(connector),
    },
  }
}

/** `hasAnswered`: whether no further hop is tried. */
async function queryHop(
  hop: NextHop,
  { message, recipients, content, tls }: OutboundMessage,
  plan: AttemptPlan,
  options: SmtpDeliveryOptions,
): Promise<{ hasAnswered: boolean; callout: CalloutResult }> {
  const failed = (detail: string) => ({ hasAnswered: false, callout: undetermined(detail) })
  const decision = decideHop(tls, plan.senderRequest, { ...hop, domain: plan.domain }, plan.mtaSts)
  if (decision.kind === 'Refuse') return failed(formatReply(decision.fault.reply))
  const opening = await openSession(hop, sessionOptionsFor(hop, decision, plan, options))
  if (opening.kind !== 'Admitted') {
    const { reply } = opening.kind === 'Failed' ? opening : opening.fault
    return { hasAnswered: false, callout: { ...undetermined(formatReply(reply)), isUnreachable: true } }
  }
  try {
    const traits = traitsOf(message.envelope, recipients, content)
    const refusal = opening.session.findRefusal(traits)
    const [recipient] = recipients
    if (refusal || recipient === undefined) return failed(refusal ? formatReply(refusal) : 'no recipient')
    const result = await opening.session.queryRecipient(traits, recipient)
    return { hasAnswered: result.kind !== 'Failed', callout: assessQuery(result) }
  } finally {
    opening.session.close()
  }
}
