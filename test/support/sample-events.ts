/** Events of mail to smart hosts, as the functions send them: of each message three. */
import { createHash } from 'node:crypto'
import type { MailEvent } from '../../shared/contract/events.ts'
import { createEvent } from '../../shared/events/create-event.ts'
import { ulidTime } from '../../shared/messages/message-keys.ts'
import { jobPosition } from '../../shared/messages/trace.ts'
import type { Random } from './random.ts'

const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

const text = (random: Random, length: number): string =>
  Array.from({ length }, () => letters[random.between(0, letters.length)]).join('')

export interface SampleOptions {
  /** ms since the epoch. */
  from: number
  to: number
  partners?: number
}

/** Yields `count` events in the order of time, all of which happen from `from` to `to`. */
export function* sampleEvents(
  count: number,
  random: Random,
  { from, to, partners = 1000 }: SampleOptions,
): Generator<MailEvent> {
  for (let number = 0; number < count; number += 3) {
    const at = Math.floor(from + ((to - from) * number) / count)
    yield* eventsOfMessage(random, at, partners).slice(0, count - number)
  }
}

function eventsOfMessage(random: Random, at: number, partners: number): MailEvent[] {
  const messageId = `${ulidTime(at)}${text(random, 16)}`
  const partner = `partner${random.between(0, partners)}.example`
  const domain = `ours${random.between(0, 20)}.example`
  const recipient = `person${random.between(0, 20_000)}@${partner}`
  const common = {
    messageId,
    headerMessageId: `<${text(random, 20)}@${domain}>`,
    direction: 'Originating' as const,
    sender: `colleague${random.between(0, 5000)}@${domain}`,
    connectorsVersion: 421,
    size: random.between(2000, 100_000),
  }
  const connectors = {
    inboundConnector: '01KB000000000000000000INB1',
    outboundConnector: `01KB00000000000000000${createHash('md5').update(partner).digest('hex').slice(0, 5).toUpperCase()}`,
    mode: 'Enforce' as const,
    requiredLevel: 'CertificateValidation' as const,
    policySource: 'Connector' as const,
  }
  const time = (later: number) => new Date(at + later).toISOString()
  return [
    createEvent('Accepted', [messageId], {
      ...common,
      at: time(0),
      partner: domain,
      recipients: 1,
      inboundConnector: connectors.inboundConnector,
      tlsVersion: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      clientIp: `192.0.2.${random.between(1, 255)}`,
      helo: `mail${random.between(1, 9)}.${domain}`,
    }),
    createEvent('Decided', [messageId, recipient, jobPosition(0, null)], {
      ...common,
      ...connectors,
      at: time(40),
      recipient,
      partner,
      decision: 'Deliver',
      reason: 'ConnectorMatched',
      state: 'Pending',
    }),
    createEvent('Delivered', [messageId, recipient, 1], {
      ...common,
      ...connectors,
      at: time(random.between(200, 3000)),
      recipient,
      partner,
      tlsVersion: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      group: random.happens(0.6) ? 'X25519MLKEM768' : 'x25519',
      verified: true,
      serverCertificateSha256: createHash('sha256').update(partner).digest('hex'),
      host: `mx${random.between(1, 4)}.${partner}`,
      decision: 'Deliver',
      reply: `250 2.0.0 Ok: queued as ${text(random, 10)}`,
      state: 'Delivered',
      attempt: 1,
      durationMs: random.between(20, 900),
    }),
  ]
}
