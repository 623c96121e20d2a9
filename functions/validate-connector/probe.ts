/**
 * Opens a session with one next hop and reports each step. The probe uses the code of deliveries and enforces the
 * connector's requirement, so a delivery accepts every hop that passes.
 */
import type { ValidationStep } from '../../shared/connectors/validation.ts'
import type { PolicySource } from '../../shared/contract/message.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import type { NextHop } from '../../shared/net/next-hops.ts'
import type { SessionOptions } from '../../shared/net/smtp/connection.ts'
import type { Milestone } from '../../shared/net/smtp/negotiation.ts'
import { openSession, type SessionOpening } from '../../shared/net/smtp-session.ts'
import {
  assessRevocation,
  assessServerTls,
  type EstablishedTls,
  type ServerTls,
} from '../../shared/tls/assess-server-tls.ts'
import type { HopRequirement } from '../../shared/tls/requirement.ts'
import { type ReportedStep, stepOf } from './steps.ts'

export interface Probe {
  hop: NextHop
  steps: ValidationStep[]
  /** Whether a message may be sent to this hop. */
  passed: boolean
}

export async function probe(hop: NextHop, options: SessionOptions): Promise<Probe> {
  const times: MilestoneTime[] = []
  const observe = (milestone: Milestone) => times.push({ milestone, at: performance.now() })
  const opening = await openSession(hop, { ...options, onMilestone: observe })
  if (opening.kind === 'Admitted') opening.session.close()
  const reportedSteps = reportedStepsOf(phasesOf(times, performance.now()), opening, hop, options)
  return {
    hop,
    passed: opening.kind === 'Admitted',
    steps: reportedSteps.map((reported) => stepOf({ ...reported, host: hop.host, ip: hop.ip })),
  }
}

interface MilestoneTime {
  milestone: Milestone
  /** Milliseconds of `performance.now()`. */
  at: number
}

/** One step of one connection. */
interface Phase {
  step: 'Connect' | 'Ehlo' | 'StartTls'
  durationMs: number
  /** The last milestone of the step. */
  reached: Milestone
}

const stepByMilestone: Readonly<Record<Milestone, Phase['step']>> = {
  Dialled: 'Connect',
  Connected: 'Ehlo',
  Greeted: 'Ehlo',
  StartTlsSent: 'StartTls',
  Secured: 'StartTls',
}

const failureTexts: Readonly<Record<Milestone, string>> = {
  Dialled: 'The connection failed',
  Connected: 'The greeting failed',
  Greeted: 'EHLO failed',
  StartTlsSent: 'STARTTLS failed',
  Secured: 'EHLO over TLS failed',
}

/** Each phase lasts until the next begins, the last until the session was opened or failed. */
function phasesOf(times: readonly MilestoneTime[], ended: number): Phase[] {
  const phases: Phase[] = []
  for (const [index, { milestone, at }] of times.entries()) {
    const durationMs = (times[index + 1]?.at ?? ended) - at
    const step = stepByMilestone[milestone]
    const phase = phases.at(-1)
    if (phase?.step === step)
      Object.assign(phase, { reached: milestone, durationMs: phase.durationMs + durationMs })
    else phases.push({ step, durationMs, reached: milestone })
  }
  return phases.length > 0 ? phases : [{ step: 'Connect', durationMs: 0, reached: 'Dialled' }]
}

function reportedStepsOf(
  phases: Phase[],
  opening: SessionOpening,
  hop: NextHop,
  options: SessionOptions,
): ReportedStep[] {
  const reportedSteps = phases.map((phase, index): ReportedStep => {
    const { step, durationMs } = phase
    const isLast = index === phases.length - 1
    if (step === 'StartTls' && opening.kind !== 'Failed')
      return { ...startTlsStep(opening.tls, options.enforced), durationMs }
    if (isLast && opening.kind !== 'Admitted')
      return { step, durationMs, succeeded: false, detail: failureText(phase, opening, options) }
    if (step === 'StartTls')
      return { step, durationMs, succeeded: false, detail: 'TLS failed; retried in the clear' }
    return { step, durationMs, succeeded: true, detail: successText(step, hop) }
  })
  if (opening.kind === 'Failed') return reportedSteps
  const offered = phases.some(({ step }) => step === 'StartTls')
  if (!offered && opening.kind === 'Admitted') reportedSteps.push(startTlsStep(opening.tls, options.enforced))
  if (opening.tls.kind === 'Established')
    reportedSteps.push(...certificateSteps(opening.tls, options.enforced))
  return reportedSteps
}

const successText = (step: Phase['step'], { ip, port }: NextHop): string =>
  step === 'Connect' ? `Connected to ${ip}, port ${port}` : 'The server sent its greeting and accepted EHLO'

function failureText(
  { reached }: Phase,
  opening: Exclude<SessionOpening, { kind: 'Admitted' }>,
  { signal }: SessionOptions,
): string {
  const why = `${failureTexts[reached]}: ${formatReply(opening.kind === 'Failed' ? opening.reply : opening.fault.reply)}`
  return signal.aborted ? `${why}; it timed out` : why
}

/** Reports whether TLS meets the connector's requirement, apart from the certificate. */
function startTlsStep(tls: ServerTls, requirement: HopRequirement): ReportedStep {
  const step = 'StartTls'
  const fault = sessionFault(tls, requirement)
  if (tls.kind !== 'Established') {
    const detail = fault === null ? inTheClearText(tls) : formatReply(fault.reply)
    return { step, succeeded: fault === null, detail }
  }
  const { protocol, cipher, group } = tls
  const detail = fault ? formatReply(fault.reply) : [protocol, cipher, group].filter(Boolean).join(', ')
  return { step, succeeded: fault === null, detail, tls: { protocol, cipher, group } }
}

/** Returns the fault of the session, regardless of its certificate. */
function sessionFault(tls: ServerTls, requirement: HopRequirement) {
  const level = requirement.level === 'Opportunistic' ? 'Opportunistic' : 'EncryptionOnly'
  return assessServerTls({ ...requirement, level, additional: [] }, tls, new Date())
}

function inTheClearText(tls: Exclude<ServerTls, EstablishedTls>): string {
  const why =
    tls.kind === 'HandshakeFailed'
      ? `The TLS handshake failed (${tls.cause})`
      : `STARTTLS is not available${tls.serverReply === null ? '' : ` (${tls.serverReply})`}`
  return `${why}: mail is sent in the clear, because tlsSettings is null`
}

function certificateSteps(tls: EstablishedTls, requirement: HopRequirement): ReportedStep[] {
  if (sessionFault(tls, requirement) !== null) return []
  const fault =
    assessServerTls(requirement, tls, new Date()) ??
    (tls.revocation ? assessRevocation(requirement, tls.revocation) : null)
  const detail = fault ? formatReply(fault.reply) : `${acceptedText(tls, requirement)}${revocationText(tls)}`
  return [{ step: 'Certificate', succeeded: fault === null, detail, certificates: [...tls.certificates] }]
}

const sourceTexts: Readonly<Record<PolicySource, string>> = {
  Connector: '',
  Dane: ', as DANE requires',
  MtaSts: ', as the MTA-STS policy requires',
  RequireTls: ', as REQUIRETLS requires',
  Opportunistic: '',
}

function revocationText({ revocation }: EstablishedTls): string {
  if (!revocation) return ''
  const { status, detail } = revocation
  return status === 'Good' ? `; revocation: ${detail}` : `; revocation: undetermined (${detail})`
}

function acceptedText(tls: EstablishedTls, requirement: HopRequirement): string {
  const additional = requirement.additional ?? []
  return [requirement, ...additional].map((each) => acceptedTextFor(tls, each)).join('. ')
}

function acceptedTextFor(
  { trusted, trustError, certificates }: EstablishedTls,
  { level, names, source }: HopRequirement,
): string {
  const until = certificates[0] ? `; valid until ${certificates[0].notAfter}` : ''
  if (level === 'DomainValidation')
    return `Trusted, and its name matches ${names.join(' or ')}${sourceTexts[source]}${until}`
  if (level === 'Dane') return `A TLSA record of ${names[0]} matches it${until}`
  if (level === 'CertificateValidation') return `Trusted${until}`
  const setting = level === 'Opportunistic' ? 'null' : level
  const trustText = trusted ? `It is trusted${until}` : `It would not be trusted: ${trustError}`
  return `Any certificate is accepted, because tlsSettings is ${setting}. ${trustText}`
}
