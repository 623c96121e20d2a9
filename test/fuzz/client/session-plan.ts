/** Random settings of one session, and the messages that the client sends in it. */

import { basicEnvelope, type Recipient } from '../../../shared/contract/message.ts'
import { traitsOf } from '../../../shared/net/esmtp.ts'
import type { OutgoingMail } from '../../../shared/net/smtp/mail-transaction.ts'
import type { StartTlsMode } from '../../../shared/net/smtp/negotiation.ts'
import type { ContentLimits } from '../../../shared/net/smtp/wire-content.ts'
import { type HopRequirement, opportunistic } from '../../../shared/tls/requirement.ts'
import { recipient } from '../../support/fixtures.ts'
import type { Random } from '../../support/random.ts'
import { lineEndAbuses } from '../line-end-abuses.ts'

export interface SessionPlan {
  startTls: StartTlsMode
  enforced: HopRequirement
  /** Short, so that most messages have several pieces and chunks. */
  limits: ContentLimits
  /** Whether BDAT is used where the server announces CHUNKING. */
  usesChunking: boolean
  messages: readonly OutgoingMail[]
  /** The probability that the server alters a reply. At 0, the server follows the protocol. */
  alterations: number
  /** The probability, at each step, that the connection ends, or that a time limit is reached. */
  endings: number
}

export function randomPlan(random: Random): SessionPlan {
  const isForced = random.happens(0.5)
  const piece = random.of([random.between(1, 40), 1000])
  return {
    startTls:
      isForced && random.happens(0.8) ? 'Required' : random.of(['WhenOffered', 'WhenOffered', 'Never']),
    enforced: {
      ...opportunistic,
      level: isForced ? 'EncryptionOnly' : 'Opportunistic',
      source: 'Connector',
      revocationCheck: random.of(['None', 'SoftFail']),
    },
    // As in production, a flight is one piece and one chunk.
    limits: { piece, chunk: random.between(piece, 3 * piece + 1), flight: random.of([0, piece]) },
    usesChunking: random.happens(0.9),
    messages: Array.from({ length: random.between(1, 5) }, (_, index) => randomMail(random, index)),
    alterations: random.of([0, 0, 0, 0.05, 0.4]),
    endings: random.of([0, 0.005, 0.03]),
  }
}

/** Content that a server would misread if the client made a mistake. */
const fragments = [
  ...lineEndAbuses,
  '\r\n..\r\n',
  'BDAT 3 LAST\r\n',
  'MAIL FROM:<x@other.example>\r\nRCPT TO:<y@other.example>\r\nDATA\r\n',
  '\r\n.\r\nMAIL FROM:<x@other.example>\r\n',
  'RSET\r\n',
  'QUIT\r\n',
  'Subject: x\r\n\r\n',
  'text',
  '\xff\xe9',
  'a'.repeat(150),
]

/** Each message of a session has another sender. */
function randomMail(random: Random, index: number): OutgoingMail {
  const mailFrom = index === 0 && random.happens(0.2) ? '' : `s${index}@ours.example`
  const content = Buffer.from(
    Array.from({ length: random.between(0, 9) }, () => random.of(fragments)).join(''),
    'latin1',
  )
  const recipients = Array.from({ length: random.between(1, 5) }, (_, at) => randomRecipient(random, at))
  const envelope = {
    ...basicEnvelope(mailFrom),
    eightBitMime: random.happens(0.2),
    dsn: { ret: random.of(['FULL', null] as const), envid: random.of([null, 'a+b=c\r\nRSET']) },
  }
  return { mail: traitsOf(envelope, recipients, content), recipients, content }
}

const randomRecipient = (random: Random, at: number): Recipient =>
  recipient({
    address: random.of([`r${at}@one.example`, `"r ${at}"@one.example`]),
    notify: random.of([null, ['SUCCESS', 'DELAY'] as const]) as Recipient['notify'],
    orcpt: random.of([null, 'rfc822;x@y\r\nDATA']),
  })
