/**
 * One attempt through Amazon SES. SES connects to the recipients' servers later, so it reports no address and no TLS
 * session. The configuration set of the message only decides whether SES requires TLS.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { asError } from '../contract/error-message.ts'
import type { TlsRequirement } from '../contract/jobs.ts'
import type { Recipient } from '../contract/message.ts'
import { reply } from '../mail/reply.ts'
import { hasMandatoryPolicy } from '../policy/mandatory-policies.ts'
import { isEnforced } from '../policy/transport-security.ts'
import { maxSesMessageOctets, type SesApi, sesApiFor } from './ses-api.ts'
import { classifySesError, replyForSesError, sesHost } from './ses-errors.ts'
import { fieldsWithoutSession, type OutboundMessage, type Outcome, type Outcomes } from './smtp-delivery.ts'
import { outcomeOf } from './smtp-faults.ts'

export interface SesOptions {
  ses: Pick<SesApi, 'send'>
  configurationSets: { requireTls: string; optionalTls: string }
  /** Aborts at the attempt's time limit. */
  signal: AbortSignal
  /** Called when SES refuses a message because the quota of 24 hours is used up. */
  onDailyQuotaUsedUp?(): Promise<void>
  /** Called when a request is still throttled after its repetitions. */
  onThrottled?(): void
  /** Waits before a throttled request is repeated; rejects when the signal aborts. @default a timer */
  wait?(milliseconds: number, signal: AbortSignal): Promise<unknown>
}

/**
 * Times before a throttled request is repeated. They outlast a short excess over the quota per second. The worker also
 * has mail for other next hops, so it does not wait for the end of a longer one. SES has not accepted a message whose
 * request it throttles, so a repetition creates no duplicate.
 */
const throttleDelaysMs = [500, 1_000]

/** SES's limit of recipients in one request. */
const maxDestinations = 50

/** Never throws for an error from SES. */
export async function deliverThroughSes(mail: OutboundMessage, options: SesOptions): Promise<Outcomes> {
  const refusal = checkSesSupport(mail)
  if (refusal) return outcomesFor(mail.recipients, { ...commonFields(mail.tls), ...refusal })
  const outcomes: Outcomes[] = []
  for (let from = 0; from < mail.recipients.length; from += maxDestinations)
    outcomes.push(await send(mail, mail.recipients.slice(from, from + maxDestinations), options))
  return new Map(outcomes.flatMap((batchOutcomes) => [...batchOutcomes]))
}

/**
 * Refuses what SES cannot carry: a message above its size limit, REQUIRETLS, and levels that verify the next hop's
 * certificate. The API does not save a connector with such a level and SES.
 */
function checkSesSupport({
  message,
  tls,
  content,
}: OutboundMessage): Pick<Outcome, 'outcome' | 'reply'> | null {
  if (sesApiFor(content.length) === null)
    return {
      outcome: 'PermanentFailure',
      reply: reply(552, '5.3.4', tooLargeText(content.length)),
    }
  // RFC 8689 §5: a DSN is sent without REQUIRETLS, but not in the clear.
  if (message.envelope.requireTls && message.envelope.mailFrom !== '')
    return {
      outcome: 'PermanentFailure',
      reply: reply(550, '5.7.30', 'REQUIRETLS is requested but Amazon SES does not support it'),
    }
  if (hasMandatoryPolicy(tls) && isEnforced(tls)) {
    const text =
      'Amazon SES does not check TLSA records and MTA-STS policies on request, which the connector requires'
    return { outcome: 'TlsNotMet', reply: reply(451, '4.7.320', text) }
  }
  if (tls.level === 'Opportunistic' || tls.level === 'EncryptionOnly') return null
  const text = `Amazon SES cannot verify the next hop's certificate, which ${tls.level} requires`
  return { outcome: 'TlsNotMet', reply: reply(451, '4.7.320', text) }
}

const tooLargeText = (octets: number): string =>
  `The message has ${octets} octets; Amazon SES accepts at most ${maxSesMessageOctets}`

/** Repeats a throttled request. The outcome of the last request is returned. */
async function send(
  mail: OutboundMessage,
  recipients: readonly Recipient[],
  options: SesOptions,
): Promise<Outcomes> {
  for (const delayMs of throttleDelaysMs) {
    const outcome = await sendOnce(mail, recipients, options)
    if (!outcome.isThrottled || !(await retryAfter(delayMs, options))) return outcomesFor(recipients, outcome)
  }
  const outcome = await sendOnce(mail, recipients, options)
  if (outcome.isThrottled) options.onThrottled?.()
  return outcomesFor(recipients, outcome)
}

async function sendOnce(
  mail: OutboundMessage,
  recipients: readonly Recipient[],
  options: SesOptions,
): Promise<Outcome> {
  const { mailFrom, requireTls: isTlsRequested } = mail.message.envelope
  const { requireTls, optionalTls } = options.configurationSets
  const request = {
    mailFrom,
    recipients: recipients.map(({ address }) => address),
    content: mail.content,
    configurationSet: isEnforced(mail.tls) || isTlsRequested ? requireTls : optionalTls,
  }
  const common = commonFields(mail.tls)
  try {
    const id = await options.ses.send(request, options.signal)
    const acceptedReply = reply(250, '2.0.0', `Amazon SES accepted it as ${id}`)
    return { ...common, outcome: 'Delivered', reply: acceptedReply }
  } catch (thrown) {
    const error = asError(thrown)
    const errorClass = classifySesError(error)
    if (errorClass === 'DailyQuota') await options.onDailyQuotaUsedUp?.()
    const answer = replyForSesError(error)
    const outcome = { ...common, outcome: outcomeOf(answer), reply: answer }
    return errorClass === 'Rate' ? { ...outcome, isThrottled: true } : outcome
  }
}

/** Waits with jitter. @returns false when the attempt's time limit comes first */
async function retryAfter(
  delayMs: number,
  { signal, wait = waitUnlessAborted }: SesOptions,
): Promise<boolean> {
  return wait(delayMs * (0.5 + Math.random() / 2), signal).then(
    () => true,
    () => false,
  )
}

const waitUnlessAborted = (milliseconds: number, signal: AbortSignal) => sleep(milliseconds, null, { signal })

/** SES does not report the next hop's address and TLS session. */
const commonFields = (tls: TlsRequirement): Omit<Outcome, 'outcome' | 'reply'> => ({
  ...fieldsWithoutSession(tls),
  host: sesHost,
})

function outcomesFor(recipients: readonly Recipient[], outcome: Outcome): Outcomes {
  return new Map(recipients.map(({ address }) => [address, outcome]))
}
