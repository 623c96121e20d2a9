/** The partner's server: it refuses some recipients, and counts what arrives at its socket. */
import { type Partner, type Received, startPartner } from '../../support/smtp-partner.ts'
import { behaviourOf, serialIn } from './planned-mail.ts'

export interface CountingPartner {
  readonly port: number
  /** Replies to RCPT: 451 and 550. */
  readonly refusals: { later: number; never: number }
  arrived(): Arrived
  stop(): Promise<void>
}

export interface Arrived {
  /** Recipients of accepted content, with copies. */
  transmissions: number
  /** Each message and recipient once, as `ID ADDRESS`. */
  deliveries: Set<string>
  /** The serial numbers of the clients' messages, by the id that the gateway gave them. */
  serials: Map<string, number>
  /** Ids of DSNs. */
  dsns: Set<string>
  /** Each message, recipient and action in a DSN once, as `ID ADDRESS ACTION`. */
  reported: Set<string>
}

export async function startCountingPartner(): Promise<CountingPartner> {
  const refusals = { later: 0, never: 0 }
  const refusedOnce = new Set<string>()
  const partner: Partner = await startPartner({
    answer: (command) => {
      const [, address] = /^RCPT TO:<([^>]+)>/.exec(command) ?? []
      if (address === undefined) return undefined
      const behaviour = behaviourOf(address)
      if (behaviour === 'never') {
        refusals.never++
        return '550 5.1.1 No such user'
      }
      if (behaviour !== 'later' || refusedOnce.has(address)) return undefined
      refusedOnce.add(address)
      refusals.later++
      return '451 4.3.0 Later'
    },
  })
  return {
    port: partner.port,
    refusals,
    arrived: () => count(partner.received),
    stop: () => partner.stop(),
  }
}

/** The id in the gateway's `Received` field: of the message itself, or of the message that a DSN reports. */
const gatewayId = /^\tby \S+ with E?SMTPS? id ([0-9A-Z]{26})/m

function count(received: readonly Received[]): Arrived {
  const result: Arrived = {
    transmissions: 0,
    deliveries: new Set(),
    serials: new Map(),
    dsns: new Set(),
    reported: new Set(),
  }
  for (const { recipients, content } of received) {
    const text = content.toString('latin1')
    const [, id = ''] = gatewayId.exec(text) ?? []
    const serial = serialIn(text)
    if (serial !== null) result.serials.set(id, serial)
    const isDsn = /^Content-Type: multipart\/report/m.test(text)
    const own = isDsn ? (/^Message-ID: (\S+)/m.exec(text)?.[1] ?? '') : id
    if (isDsn) {
      result.dsns.add(own)
      for (const [, address, action] of text.matchAll(/^Final-Recipient: rfc822; (\S+)\r?\nAction: (\w+)/gm))
        result.reported.add(`${id} ${address} ${action}`)
    }
    for (const line of recipients) {
      result.transmissions++
      result.deliveries.add(`${own} ${/<([^>]*)>/.exec(line)?.[1]}`)
    }
  }
  return result
}
