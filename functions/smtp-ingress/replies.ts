/** What the ingress itself answers; what connectors make it answer comes with the admission. */
import type { Reply } from '../../shared/contract/message.ts'
import { reply } from '../../shared/mail/reply.ts'

/** A refusal in the making: what the client hears, and the name under which it is counted. */
export interface Refused {
  reason: string
  reply: Reply
}

const refused = (reason: string, answer: Reply): Refused => ({ reason, reply: answer })

const tryLater = reply(451, '3.0', 'Requested action not taken: local error, try again later')

export const storageUnavailable = refused('StorageUnavailable', tryLater)
export const connectorsUnavailable = refused('ConnectorsUnavailable', tryLater)
export const internalError = refused('InternalError', tryLater)
export const notInService = refused(
  'StorageUnavailable',
  reply(421, '3.2', 'Service not available, try again later'),
)
export const tooManyLargeMessages = refused(
  'TooManyLargeMessages',
  reply(452, '3.1', 'Too many large messages at once, try again later'),
)
export const insufficientMemory = refused(
  'InsufficientMemory',
  reply(452, '3.1', 'Insufficient system storage, try again later'),
)
export const tooManyConnections = refused(
  'TooManyConnections',
  reply(421, '7.0', 'Too many connections from your address, try again later'),
)
export const tooSlow = refused('TooSlow', reply(421, '4.2', 'Message arrives too slowly, closing connection'))
export const unlawfulOctets = refused(
  'UnlawfulOctets',
  reply(550, '6.11', 'Message contains a bare CR, a bare LF or a NUL'),
)
export const tooManyHops = refused('HopCountExceeded', reply(554, '4.14', 'Hop count exceeded'))
/** RFC 6531 §3.5 */
export const needsSmtpUtf8 = refused('NeedsSmtpUtf8', reply(550, '6.7', 'Address needs SMTPUTF8'))

export const senderTooLong = refused('AddressTooLong', reply(501, '1.7', 'Address exceeds 254 octets'))
export const recipientTooLong = refused('AddressTooLong', reply(501, '1.3', 'Address exceeds 254 octets'))

export const shuttingDown = reply(421, '3.2', 'Service shutting down, try again later')

export function tooLarge(maximum: number): Refused {
  return refused('MessageTooLarge', reply(552, '3.4', `Message exceeds ${maximum} octets`))
}

/** RFC 5321 §4.1.1.11 */
export function parameterUnknown(name: string): Refused {
  return refused('ParameterUnknown', reply(555, '5.4', `Parameter ${name} is not recognized`))
}

/** RFC 3461 §4.2, §4.4: 500 characters for ORCPT, 100 for ENVID. */
export function parameterTooLong(name: string): Refused {
  return refused('ParameterTooLong', reply(501, '5.4', `Parameter ${name} is too long`))
}

/** The text of the 250 that follows the data; the client's log keeps the id. */
export function queuedAs(id: string): string {
  return textOf(reply(250, '0.0', `Ok: queued as ${id}`))
}

/**
 * Thrown to the SMTP server, which sends `responseCode` and then the message. A cause is a fault of ours, for the
 * log alone.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly reason: string
  readonly reply: Reply
  readonly responseCode: number
  /** Which connector refused and why, for the log. */
  readonly detail: { connector: string | null; explanation: string } | null

  constructor(refused: Refused, cause?: unknown, detail?: { connector: string | null; explanation: string }) {
    super(textOf(refused.reply), { cause })
    this.reason = refused.reason
    this.reply = refused.reply
    this.responseCode = refused.reply.code
    this.detail = detail ? { connector: detail.connector, explanation: detail.explanation } : null
  }
}

function textOf({ enhanced, text }: Reply): string {
  return `${enhanced} ${text}`
}
