/**
 * One attempt by Amazon SES. SES connects to the recipients' servers itself, later and out of our sight: what can
 * be said to it is only whether TLS is required, by the configuration set that the message names.
 */
import { type SESClient, SendRawEmailCommand } from '@aws-sdk/client-ses'
import { asError } from '../contract/error-message.ts'
import type { TlsRequirement } from '../contract/jobs.ts'
import type { Recipient, Reply } from '../contract/message.ts'
import { reply } from '../mail/reply.ts'
import { isEnforced } from '../policy/transport-security.ts'
import { outcomeOf } from './failures.ts'
import { type Mail, type Outcome, type Outcomes, withoutSession } from './smtp-delivery.ts'

export interface SesOptions {
  ses: SESClient
  configurationSets: { requireTls: string; optionalTls: string }
  /** The attempt's limit. */
  signal: AbortSignal
}

/** SES takes no more in one call. */
const mostDestinations = 50

/** Never throws for what SES answers. */
export async function deliverBySes(mail: Mail, options: SesOptions): Promise<Outcomes> {
  const refusal = beyondSes(mail)
  if (refusal) return outcomesFor(mail.recipients, { ...at(mail.tls), ...refusal })
  const outcomes: Outcomes[] = []
  for (let from = 0; from < mail.recipients.length; from += mostDestinations)
    outcomes.push(await send(mail, mail.recipients.slice(from, from + mostDestinations), options))
  return new Map(outcomes.flatMap((some) => [...some]))
}

/** What SES cannot promise is refused here; a connector with it cannot be saved, so this is the second lock. */
function beyondSes({ message, tls }: Mail): Pick<Outcome, 'outcome' | 'reply'> | null {
  // RFC 8689 §5: a DSN is not lost for the want of REQUIRETLS, nor sent in the clear.
  if (message.envelope.requireTls && message.envelope.mailFrom !== '')
    return {
      outcome: 'PermanentFailure',
      reply: reply(550, '7.30', 'REQUIRETLS is asked for but Amazon SES does not support it'),
    }
  if (tls.level === 'Opportunistic' || tls.level === 'EncryptionOnly') return null
  const text = `Amazon SES cannot verify the next hop's certificate, which ${tls.level} asks for`
  return { outcome: 'TlsNotMet', reply: reply(451, '7.320', text) }
}

async function send(mail: Mail, recipients: readonly Recipient[], options: SesOptions): Promise<Outcomes> {
  const { mailFrom, requireTls: asksForTls } = mail.message.envelope
  const { requireTls, optionalTls } = options.configurationSets
  const command = new SendRawEmailCommand({
    // SES has no null reverse path; without Source it takes the From field's address, which a DSN of ours has.
    ...(mailFrom === '' ? {} : { Source: mailFrom }),
    Destinations: recipients.map(({ address }) => address),
    RawMessage: { Data: mail.content },
    ConfigurationSetName: isEnforced(mail.tls) || asksForTls ? requireTls : optionalTls,
  })
  try {
    const { MessageId } = await options.ses.send(command, { abortSignal: options.signal })
    const taken = reply(250, '0.0', `Amazon SES took it as ${MessageId}`)
    return outcomesFor(recipients, { ...at(mail.tls), outcome: 'Delivered', reply: taken })
  } catch (error) {
    const answer = replyToSesError(error)
    return outcomesFor(recipients, { ...at(mail.tls), outcome: outcomeOf(answer), reply: answer })
  }
}

/** Errors that no later attempt with the same message can escape. */
const permanentErrors = new Set([
  'MessageRejected',
  'MailFromDomainNotVerified',
  'MailFromDomainNotVerifiedException',
  'InvalidParameterValue',
])

/**
 * Throttling, faults of SES or the network and a paused or misconfigured account pass or can be put right while
 * the message waits; what SES says of the message itself stays.
 */
function replyToSesError(error: unknown): Reply {
  const { name, message } = asError(error)
  const text = `Amazon SES: ${name}: ${message}`.replace(/\s+/g, ' ').slice(0, 500)
  return permanentErrors.has(name) ? reply(554, '6.0', text) : reply(451, '4.0', text)
}

/** Neither address nor TLS session of the hop is shown by SES. */
const at = (tls: TlsRequirement): Omit<Outcome, 'outcome' | 'reply'> => ({
  ...withoutSession(tls),
  host: 'Amazon SES',
})

function outcomesFor(recipients: readonly Recipient[], outcome: Outcome): Outcomes {
  return new Map(recipients.map(({ address }) => [address, outcome]))
}
