/** Simulates one message of many, and returns its events and what happened, as data that a thread can send. */
import { type RecipientStatus, statusOf } from '../../../../functions/seal-hour/recipient-keys.ts'
import { isRecipientKey, recipientOf } from '../../../../shared/messages/message-keys.ts'
import type { RecipientItem } from '../../../../shared/messages/recipient-item.ts'
import { receivedAt } from '../../../support/fixtures.ts'
import { MemoryTable } from '../../../support/pipeline/table.ts'
import { type History, modes, simulate } from '../simulation.ts'
import type { Witness } from '../witness.ts'
import { eventRules } from './event-rules.ts'

export interface MessageRun {
  emissions: Witness['emissions']
  facts: Facts
  /** The recipients in the index of the messages table. */
  recipients: IndexedRecipient[]
  /** The rules that the events break, and what happened. */
  broken: string[]
}

/** What clients and next hops count. */
export interface Facts {
  /** Messages of clients, and DSNs that were sent. */
  messages: number
  /** Recipients of these messages. */
  recipients: number
  /** Messages and recipients that a next hop has accepted. */
  accepted: number
  /** Of these, those that bounced later: the worker died before it wrote the result. */
  acceptedThenBounced: number
  /** Acceptances by next hops, with copies. */
  acceptances: number
  /** Attempts of which a next hop knows, without throttled requests. */
  attempts: number
  bounced: number
  /** Messages, recipients and actions in DSNs. */
  notified: number
}

export interface IndexedRecipient {
  messageId: string
  address: string
  /** The sort key of the index: it begins with the time of the receipt. */
  order: string
  status: RecipientStatus
}

/** Seeds that the pipeline's other tests do not use. */
const firstSeed = 1_000_000
/** Hours over which the messages arrive. */
const arrivalHours = 12
const allModes = Object.entries(modes)

export async function runMessage(number: number): Promise<MessageRun> {
  const [name, mode] = allModes[number % allModes.length] as (typeof allModes)[number]
  const table = new MemoryTable()
  const seed = firstSeed + number
  const at = new Date(receivedAt.getTime() + (number % (arrivalHours * 3600)) * 1000)
  const history = await simulate(mode, seed, table, at)
  const broken = Object.entries(eventRules).flatMap(([sentence, findFaults]) =>
    findFaults(history).map((fault) => `${sentence}: ${fault}`),
  )
  return {
    emissions: history.witness.emissions,
    facts: factsOf(history),
    recipients: indexedRecipients(table),
    broken: broken.length === 0 ? [] : [`${name}, seed ${seed}:`, ...broken, ...history.log],
  }
}

function factsOf({ message, recipients, witness, state }: History): Facts {
  const dsns = new Set(witness.notifications.map(({ dsn }) => dsn))
  const addressed = [
    ...recipients.map(({ address }) => [message.id, address] as const),
    ...[...dsns].map((dsn) => [dsn, message.envelope.mailFrom] as const),
  ]
  const bounced = new Set(
    addressed.filter(([id, address]) => state(id, address) === 'Bounced').map((key) => key.join(' ')),
  )
  const acceptances = witness.transmissions.filter(({ isAccepted }) => isAccepted)
  const accepted = new Set(acceptances.map((each) => `${each.message} ${each.address}`))
  return {
    messages: 1 + dsns.size,
    recipients: addressed.length,
    accepted: accepted.size,
    acceptedThenBounced: [...accepted].filter((key) => bounced.has(key)).length,
    acceptances: acceptances.length,
    attempts: witness.transmissions.filter(({ isThrottled }) => !isThrottled).length,
    bounced: bounced.size,
    notified: new Set(witness.notifications.map(({ address, kind }) => `${address} ${kind}`)).size,
  }
}

const indexedRecipients = (table: MemoryTable): IndexedRecipient[] =>
  ([...table.items] as unknown as RecipientItem[])
    .filter(({ sk }) => isRecipientKey(sk))
    .flatMap((item) =>
      item.order === undefined
        ? []
        : [
            {
              messageId: item.pk,
              address: recipientOf(item),
              order: item.order,
              status: statusOf(item),
            },
          ],
    )
