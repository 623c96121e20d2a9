/**
 * Decides about a message that has arrived, when its content shows the tenant of Exchange Online that sent it. The
 * reply to RCPT TO assumed the tenant of the connector. A refusal is for all recipients.
 */
import type { AlignedSignatures } from '../../../shared/authentication/aligned-signatures.ts'
import { exchangeOnlineCertificateNames } from '../../../shared/connectors/exchange-online.ts'
import type { ExchangeOnlineFields } from '../../../shared/contract/authentication.ts'
import { readExchangeOnlineFields } from '../../../shared/mail/exchange-online-fields.ts'
import { isPermanent } from '../../../shared/mail/reply.ts'
import { admitRecipient } from '../../../shared/policy/admit-recipient.ts'
import { toPresentedCertificate } from '../../../shared/policy/client-certificate.ts'
import { type InboundEvaluation, isProvisional, type Session } from '../../../shared/policy/inbound.ts'
import type { PostmasterSettings } from '../../../shared/policy/postmaster.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import type { ReceivedContent } from '../intake/received-content.ts'
import type { RefusalWithCause } from '../intake/spooled-content.ts'
import { connectorsUnavailable, tenantUndetermined } from '../replies.ts'
import { SenderAssessment } from './sender-assessment.ts'
import type { SignatureVerifier } from './signature-verifier.ts'
import type { WatchedConnectors } from './watched-connectors.ts'

export interface ContentDecisionParts {
  connectors: Pick<WatchedConnectors, 'current' | 'latest'>
  signatures: Pick<SignatureVerifier, 'verify'>
  postmaster: PostmasterSettings
}

export interface ReceivedMail {
  /** Without content. */
  session: Session
  /** Addresses, as `resolvePostmaster` returns them; without the address of a canary. */
  recipients: readonly string[]
}

export type ContentDecision =
  | {
      action: 'Accept'
      evaluations: InboundEvaluation[]
      exchangeOnline: ExchangeOnlineFields | null
      /** The fact that identified the tenant; null if none did. */
      evidence: string | null
    }
  /** `refused`: absent if no recipient was decided. */
  | {
      action: 'Refuse'
      refusal: RefusalWithCause
      refused?: { assessment: SenderAssessment; recipient: string }
    }

/**
 * Whether the decision about a recipient depends on the content now, or may depend on it later: an administrator may
 * change the connector for the certificate of Exchange Online while the message is in a queue.
 */
export function needsContent(evaluation: InboundEvaluation, { tls, at }: Session): boolean {
  if (isProvisional(evaluation)) return true
  if (evaluation.attributedTo === null) return false
  const names = toPresentedCertificate(tls.clientCertificate, at)?.names ?? []
  return names.some((name) => exchangeOnlineCertificateNames.has(name))
}

/** @throws SpoolError */
export async function decideContent(
  { connectors, signatures, postmaster }: ContentDecisionParts,
  { session, recipients }: ReceivedMail,
  content: ReceivedContent,
): Promise<ContentDecision> {
  const fields = readExchangeOnlineFields(await content.readHeader(), content.isHeaderNormalised)
  let verified: Verified | null = null
  const decide = async (snapshot: Snapshot): Promise<ContentDecision> => {
    const assess = () =>
      assessContent(snapshot, session, { ...fields, alignedSignatures: alignedDomainsOf(verified) })
    if (verified === null && recipients.some((address) => needsSignature(assess().evaluationFor(address))))
      verified = (await signatures.verify(content)) ?? 'TimedOut'
    return decideFor(assess(), recipients, postmaster, verified)
  }
  const decideWith = async (source: () => Snapshot | Promise<Snapshot>): Promise<ContentDecision> => {
    const snapshot = await readConnectors(source)
    return 'reason' in snapshot ? { action: 'Refuse', refusal: snapshot } : decide(snapshot)
  }
  const decision = await decideWith(() => connectors.current())
  // As at RCPT TO: a permanent refusal does not rest on connectors that an administrator has just changed.
  return decision.action === 'Refuse' && isPermanent(decision.refusal.reply)
    ? decideWith(() => connectors.latest())
    : decision
}

type Verified = AlignedSignatures | 'TimedOut'

/** A DNS failure leaves the signers undetermined, unless it left some. */
function alignedDomainsOf(verified: Verified | null): ExchangeOnlineFields['alignedSignatures'] {
  if (verified === null || verified === 'TimedOut') return null
  return verified.isTemporary && verified.domains.length === 0 ? null : verified.domains
}

async function readConnectors(
  source: () => Snapshot | Promise<Snapshot>,
): Promise<Snapshot | RefusalWithCause> {
  try {
    return await source()
  } catch (cause) {
    return { ...connectorsUnavailable, cause }
  }
}

const assessContent = (
  snapshot: Snapshot,
  session: Session,
  exchangeOnline: ExchangeOnlineFields,
): SenderAssessment =>
  new SenderAssessment(snapshot, { ...session, content: { exchangeOnline, authentication: null } })

const needsSignature = ({ tenant }: InboundEvaluation): boolean => tenant?.finding.kind === 'NeedsSignature'

function decideFor(
  assessment: SenderAssessment,
  recipients: readonly string[],
  postmaster: PostmasterSettings,
  verified: Verified | null,
): ContentDecision {
  const { snapshot, session } = assessment
  const evaluations = recipients.map((address) => assessment.evaluationFor(address))
  const exchangeOnline = session.content?.exchangeOnline ?? null
  for (const [index, recipient] of recipients.entries()) {
    const evaluation = evaluations[index] as InboundEvaluation
    const decision = admitRecipient(snapshot, evaluation, recipient, postmaster)
    if (decision.action === 'Accept') continue
    const { connector, explanation } = decision
    const isUndetermined = verified === 'TimedOut' || verified?.isTemporary === true
    const needsTenant = decision.reason === 'RelayDenied' && evaluation.tenant !== null
    const { reason, reply } = needsTenant && isUndetermined ? tenantUndetermined : decision
    const details = { recipient, connector, explanation, exchangeOnline, ...tenantDetails(evaluation) }
    return { action: 'Refuse', refusal: { reason, reply, details }, refused: { assessment, recipient } }
  }
  return { action: 'Accept', evaluations, exchangeOnline, ...evidenceOf(evaluations) }
}

/** Why the message does not show the tenant; the text may contain values of the message. */
export const tenantDetails = ({ tenant }: InboundEvaluation): { tenant?: string } =>
  tenant && 'why' in tenant.finding ? { tenant: tenant.finding.why } : {}

function evidenceOf(evaluations: readonly InboundEvaluation[]): { evidence: string | null } {
  const [finding] = evaluations.flatMap(({ tenant }) =>
    tenant?.finding.kind === 'Identified' ? [tenant.finding] : [],
  )
  return { evidence: finding?.evidence ?? null }
}
