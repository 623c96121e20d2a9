/**
 * Assesses the TLS of a session against its requirements. Only this file creates a `TlsClearance`, without which no
 * command of a mail transaction can be written (client-session.ts).
 */
import type { Reply } from '../../contract/message.ts'
import type { Revocation } from '../../contract/revocation.ts'
import { assessRevocation, assessServerTls, type ServerTls } from '../../tls/assess-server-tls.ts'
import {
  forcesTls,
  type HopRequirement,
  type ReportOnlyRequirement,
  type TlsFault,
} from '../../tls/requirement.ts'
import type { EncodedChain } from '../revocation/checker.ts'
import { replyForFault, type SmtpFault, timedOutReply } from '../smtp-faults.ts'

export interface TlsRequirements {
  /** Checked before a message is sent. */
  enforced: HopRequirement
  /** Report-only requirements: checked and reported, not enforced. */
  reportOnly?: readonly ReportOnlyRequirement[]
  /**
   * Checks the chain's revocation. Never throws, and limits its own time. When this function is absent, the status is
   * undetermined.
   */
  checkRevocation?: (chain: EncodedChain, signal: AbortSignal) => Promise<Revocation>
  /** Ends the session at any point. */
  signal: AbortSignal
}

/** The part of a session that the assessment reads. */
interface AssessedSession {
  readonly isSecure: boolean
  /** Why no command can be sent; null when commands can be sent. */
  readonly unusableReason: SmtpFault | null
}

/** Proof that the TLS of one session meets the enforced requirement. */
class TlsClearance {
  readonly #session: AssessedSession

  /** @throws Error when TLS is forced and the session is in the clear, whatever the assessment was */
  constructor(session: AssessedSession, enforced: HopRequirement) {
    if (forcesTls(enforced) && !session.isSecure)
      throw new Error('forced TLS, but the session is in the clear')
    this.#session = session
  }

  covers(session: AssessedSession): boolean {
    return this.#session === session
  }
}

export type { TlsClearance }

export type TlsAssessment =
  /** `reportOnlyFault`: the fault of the first report-only requirement that is not met; null when all are met. */
  | { kind: 'Met'; clearance: TlsClearance; tls: ServerTls; reportOnlyFault: TlsFault | null }
  | { kind: 'NotMet'; fault: TlsFault; tls: ServerTls }
  /** The session ended during the assessment. */
  | { kind: 'Failed'; reply: Reply }

/** @param observedTls the TLS of the host: after a fallback in the clear, that of the connection that failed */
export async function assessSession(
  session: AssessedSession,
  observedTls: ServerTls,
  requirements: TlsRequirements,
): Promise<TlsAssessment> {
  const { enforced, reportOnly = [] } = requirements
  const at = new Date()
  const enforcedFault = assessServerTls(enforced, observedTls, at)
  const reportOnlyFaults = reportOnly.map(
    (reportOnlyRequirement) =>
      reportOnlyRequirement.fault ?? assessServerTls(reportOnlyRequirement.requirement, observedTls, at),
  )
  const metRequirements = reportOnly
    .map(({ requirement }) => requirement)
    .filter((_, index) => reportOnlyFaults[index] === null)
  // For a session that is refused anyway, revocation is not checked.
  const requirementToCheck =
    enforcedFault === null ? [enforced, ...metRequirements].find(needsRevocationCheck) : undefined
  const tls = requirementToCheck
    ? await addRevocation(observedTls, requirementToCheck, at, requirements)
    : observedTls
  const revocationFault = (requirement: HopRequirement) =>
    'revocation' in tls && tls.revocation ? assessRevocation(requirement, tls.revocation) : null
  const fault = enforcedFault ?? revocationFault(enforced)
  if (fault !== null) return { kind: 'NotMet', fault, tls }
  if (requirements.signal.aborted) return { kind: 'Failed', reply: timedOutReply }
  // During the revocation check the server may have sent a reply or closed the connection.
  const { unusableReason } = session
  if (unusableReason) return { kind: 'Failed', reply: replyForFault(unusableReason) }
  const allReportOnlyFaults = reportOnly.map(
    ({ requirement }, index) => reportOnlyFaults[index] ?? revocationFault(requirement),
  )
  const reportOnlyFault = allReportOnlyFaults.find((candidate) => candidate !== null) ?? null
  return { kind: 'Met', clearance: new TlsClearance(session, enforced), tls, reportOnlyFault }
}

const needsRevocationCheck = ({ revocationCheck }: HopRequirement): boolean => revocationCheck !== 'None'

/** Runs before any command of a transaction. */
async function addRevocation(
  tls: ServerTls,
  { certificateAuthorities: authorities }: HopRequirement,
  at: Date,
  { checkRevocation, signal }: TlsRequirements,
): Promise<ServerTls> {
  if (tls.kind !== 'Established') return tls
  const revocation = await checkRevocation?.({ chain: tls.chain, authorities, at }, signal)
  return {
    ...tls,
    revocation: revocation ?? { status: 'Unknown', detail: 'no revocation check is configured' },
  }
}
