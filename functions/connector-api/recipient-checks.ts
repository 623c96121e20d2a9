/** Predicts for an explanation how the ingress checks whether a recipient exists. */
import type { RecipientLists } from '../../shared/connectors-table/recipient-lists.ts'
import {
  type RecipientCheckSettings,
  recipientCheckOf,
  unknownRecipientReply,
} from '../../shared/policy/check-recipient.ts'
import type { RecipientExplanation } from '../../shared/policy/explain/explain.ts'
import { selectOutbound } from '../../shared/policy/outbound.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'

export interface ExplainedCheck extends Pick<RecipientExplanation, 'inSession'> {
  /** A sentence; null when nothing is checked. */
  recipientCheck: string | null
}

/** A recipient that is refused for another reason is not checked. */
export async function explainRecipientCheck(
  { address, inSession }: RecipientExplanation,
  snapshot: Snapshot,
  settings: RecipientCheckSettings,
  lists: Pick<RecipientLists, 'readAll'>,
): Promise<ExplainedCheck> {
  const check = inSession.code < 300 ? recipientCheckOf(snapshot, address, settings) : null
  if (check === null) return { inSession, recipientCheck: null }
  if (check.kind === 'SmtpCallout') return { inSession, recipientCheck: calloutText(snapshot, check.domain) }
  const list = await lists.readAll(check.domain, check.version).catch(() => null)
  if (list === null)
    return {
      inSession,
      recipientCheck: `The list of recipients of ${check.domain} cannot be read, so every recipient is accepted.`,
    }
  const listed = check.localParts.find((localPart) => list.includes(localPart))
  if (listed === undefined)
    return {
      inSession: unknownRecipientReply,
      recipientCheck: `The list of recipients of ${check.domain} has no such address.`,
    }
  return {
    inSession,
    recipientCheck: `The list of recipients of ${check.domain} has ${listed}@${check.domain}.`,
  }
}

function calloutText(snapshot: Snapshot, domain: string): string {
  const connector = selectOutbound(snapshot, domain)
  if (connector === null || connector.route === 'Ses')
    return `No mailbox server can be asked for recipients of ${domain}, so every recipient is accepted.`
  return `The ingress asks the next hop of connector "${connector.name}" whether the recipient exists, and refuses it with 550 5.1.1 if not.`
}
