/**
 * One attempt through Amazon SES. SES connects to the recipients' servers later, so it reports no address and no TLS
 * session. The configuration set of the message only decides whether SES requires TLS.
 */
import { asError } from '../contract/error-message.ts'
import type { TlsRequirement } from '../contract/jobs.ts'
import type { Recipient } from '../contract/message.ts'
import { reply } from '../mail/reply.ts'
import { isEnforced } from '../policy/transport-security.ts'
import { maxSesMessageOctets, type SesApi, sesApiFor } from './ses-api.ts'
import { replyForSesError, sesHost } from './ses-errors.ts'
import { fieldsWithoutSession, type OutboundMessage, type Outcome, type Outcomes } from './smtp-delivery.ts'
import { outcomeOf } from './smtp-errors.ts'

export interface SesOptions {
  ses: Pick<SesApi, 'send'>
  configurationSets: { requireTls: string; optionalTls: string }
  /** Aborts at the attempt's time limit. */
  signal: AbortSignal
}

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
  if (tls.level === 'Opportunistic' || tls.level === 'EncryptionOnly') return null
  const text = `Amazon SES cannot verify the next hop's certificate, which ${tls.level} requires`
  return { outcome: 'TlsNotMet', reply: reply(451, '4.7.320', text) }
}

const tooLargeText = (octets: number): string =>
  `The message has ${octets} octets; Amazon SES accepts at most ${maxSesMessageOctets}`

async function send(
  mail: OutboundMessage,
  recipients: readonly Recipient[],
  options: SesOptions,
): Promise<Outcomes> {
  const { mailFrom, requireTls: isTlsRequested } = mail.message.envelope
  const { requireTls, optionalTls } = options.configurationSets
  const configurationSet = isEnforced(mail.tls) || isTlsRequested ? requireTls : optionalTls
  const request = {
    mailFrom,
    recipients: recipients.map(({ address }) => address),
    content: mail.content,
    configurationSet,
  }
  try {
    const id = await options.ses.send(request, options.signal)
    const acceptedReply = reply(250, '2.0.0', `Amazon SES accepted it as ${id}`)
    return outcomesFor(recipients, { ...commonFields(mail.tls), outcome: 'Delivered', reply: acceptedReply })
  } catch (error) {
    const answer = replyForSesError(asError(error))
    return outcomesFor(recipients, { ...commonFields(mail.tls), outcome: outcomeOf(answer), reply: answer })
  }
}

/** SES does not report the next hop's address and TLS session. */
const commonFields = (tls: TlsRequirement): Omit<Outcome, 'outcome' | 'reply'> => ({
  ...fieldsWithoutSession(tls),
  host: sesHost,
})

function outcomesFor(recipients: readonly Recipient[], outcome: Outcome): Outcomes {
  return new Map(recipients.map(({ address }) => [address, outcome]))
}
