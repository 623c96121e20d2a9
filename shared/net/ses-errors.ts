/**
 * Classifies the errors of Amazon SES. Sources: the models of both APIs, their common errors, and the texts of
 * docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html and manage-sending-quotas-errors.html. Pure.
 */
import type { Reply } from '../contract/message.ts'
import { reply } from '../mail/reply.ts'

export type SesErrorClass =
  /** SES refuses this message; each attempt would end the same way. */
  | 'Message'
  /** The message is larger than the API accepts. */
  | 'Size'
  /** The administrator must change the account, an identity, a configuration set or a permission. */
  | 'Account'
  /** The account's recipients per second are used up. SES has not accepted the message. */
  | 'Rate'
  /** The account's recipients of 24 hours are used up. */
  | 'DailyQuota'
  /** SES or the network failed, or nothing is known of the error. */
  | 'Service'

export interface SesErrorRow {
  /** Names without `Exception`, which API v1 leaves out. Null means any name. */
  names: readonly string[] | null
  /** Part of the error's text; absent means any text. */
  text?: RegExp
  class: SesErrorClass
  why: string
}

/** The first row that matches is used. */
export const sesErrors: readonly SesErrorRow[] = [
  {
    names: null,
    text: /Daily message quota exceeded/i,
    class: 'DailyQuota',
    why: 'the quota of 24 hours is used up',
  },
  {
    names: null,
    text: /Maximum sending rate exceeded/i,
    class: 'Rate',
    why: 'the quota per second is used up',
  },
  { names: null, text: /Message length is more than/i, class: 'Size', why: 'the message is too large' },
  { names: ['Throttling', 'TooManyRequests'], class: 'Rate', why: 'too many requests' },
  { names: ['LimitExceeded'], class: 'Service', why: 'a limit of SES, which does not name it' },
  {
    names: ['MessageRejected', 'BadRequest'],
    text: /not verified/i,
    class: 'Account',
    why: 'the identity of the sender, or in the sandbox of a recipient, is not verified',
  },
  {
    names: ['MessageRejected', 'BadRequest'],
    text: /\b(paused|suspended|disabled)\b/i,
    class: 'Account',
    why: 'sending is paused',
  },
  { names: ['MessageRejected'], class: 'Message', why: 'the content is refused, such as a virus' },
  {
    names: ['MailFromDomainNotVerified'],
    class: 'Account',
    why: 'the MX record of the MAIL FROM domain is missing',
  },
  {
    names: ['AccountSendingPaused', 'SendingPaused'],
    class: 'Account',
    why: 'sending is paused for the account',
  },
  { names: ['AccountSuspended'], class: 'Account', why: 'the account may no longer send' },
  {
    names: ['ProductionAccessNotGranted', 'OptInRequired'],
    class: 'Account',
    why: 'the account may not send yet',
  },
  {
    names: ['ConfigurationSetSendingPaused'],
    class: 'Account',
    why: 'sending is paused for the configuration set',
  },
  {
    names: ['ConfigurationSetDoesNotExist', 'InvalidConfigurationSet', 'NotFound'],
    class: 'Account',
    why: 'the configuration set is missing',
  },
  { names: ['AccessDenied'], class: 'Account', why: 'a policy denies the request' },
  {
    names: [
      ...['BadRequest', 'InvalidParameterValue', 'InvalidParameterCombination', 'MissingParameter'],
      'ValidationError',
    ],
    class: 'Message',
    why: 'an address or the header section is not valid',
  },
  { names: null, class: 'Service', why: 'SES or the network failed' },
]

export function classifySesError({ name, message }: Error): SesErrorClass {
  const known = name.replace(/Exception$/, '')
  const row = sesErrors.find(
    ({ names, text }) => (names?.includes(known) ?? true) && (text?.test(message) ?? true),
  )
  return row?.class ?? 'Service'
}

/** RFC 3463: X.3.5 is a system that is not configured correctly, X.4.5 is congestion. */
const codes: Readonly<Record<SesErrorClass, readonly [number, string]>> = {
  Message: [554, '5.6.0'],
  Size: [552, '5.3.4'],
  Account: [451, '4.3.5'],
  Rate: [451, '4.4.5'],
  DailyQuota: [451, '4.4.5'],
  Service: [451, '4.4.0'],
}

export function replyForSesError(error: Error): Reply {
  const [code, enhanced] = codes[classifySesError(error)]
  return reply(code, enhanced, `Amazon SES: ${error.name}: ${error.message}`)
}

export const sesHost = 'Amazon SES'

/** Whether an attempt failed because of the account: see `SesErrorClass`. */
export const isSesAccountFailure = ({
  host,
  reply: { enhanced },
}: {
  host: string | null
  reply: Reply
}): boolean => host === sesHost && enhanced === codes.Account[1]
