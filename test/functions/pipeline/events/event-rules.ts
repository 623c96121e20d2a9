/** Rules about the events of a run: they say what happened, no more and no less. */
import { type EventKind, eventId, type MailEvent } from '../../../../shared/contract/events.ts'
import type { History } from '../simulation.ts'

/** A recipient of the message, or of a DSN about it. */
interface Addressed {
  message: string
  address: string
}

const keyOf = ({ message, address }: Addressed): string => `${message} ${address}`

/** The seal finds a copy that was recorded hours later only if it happened at the same hour, or at one next to it. */
const maxDifferenceMs = 3_600_000

/** Each rule returns what breaks it. */
export const eventRules: Record<string, (history: History) => string[]> = {
  'the times of copies of an event differ by less than an hour': ({ witness }) => {
    const copies = Map.groupBy(
      witness.emissions.flatMap(({ events }) => events),
      ({ id }) => id,
    )
    return [...copies].flatMap(([, events]) => {
      const times = events.map(({ at }) => Date.parse(at))
      const [first] = events
      return Math.max(...times) - Math.min(...times) < maxDifferenceMs
        ? []
        : [`${first?.kind} ${events.map(({ at }) => at).join(' ')}`]
    })
  },
  'each message has one Accepted event': (history) =>
    difference(
      messagesOf(history),
      eventsOf(history, 'Accepted').map(({ messageId = '' }) => messageId),
    ),
  'each recipient that ends as Delivered has a Delivered event, and no other has one': (history) =>
    difference(inState(history, 'Delivered'), distinct(eventsOf(history, 'Delivered').map(recipientOf))),
  'each recipient that ends as Bounced has one Bounced event, and no other has one': (history) =>
    difference(inState(history, 'Bounced'), eventsOf(history, 'Bounced').map(recipientOf)),
  'each recipient has a Decided event of its first decision, or has bounced without an attempt': (history) =>
    recipientsOf(history)
      .filter(
        ({ message, address }) =>
          !history.witness.events.has(eventId('Decided', message, address, '00000#')) &&
          !(
            history.witness.events.has(eventId('Bounced', message, address)) &&
            attemptsOf(history, keyOf({ message, address })).length === 0
          ),
      )
      .map(keyOf),
  'no delivery job is sent before the event of its decision': ({ witness }) => witness.jobsBeforeEvents,
  'every acceptance by a next hop is a Delivered event, or a lost attempt': (history) => {
    const accepted = Map.groupBy(
      history.witness.transmissions.filter(({ isAccepted }) => isAccepted),
      keyOf,
    )
    return [...accepted]
      .filter(([key, { length }]) => {
        const events = attemptsOf(history, key)
        const known = events.filter(({ kind, decision }) => kind === 'Delivered' || decision === 'Unknown')
        return known.length < length
      })
      .map(([key]) => key)
  },
  'every attempt has an event': (history) => {
    const attempted = Map.groupBy(
      history.witness.transmissions.filter(({ isThrottled }) => !isThrottled),
      keyOf,
    )
    return [...attempted]
      .filter(([key, { length }]) => attemptsOf(history, key).length < length)
      .map(([key]) => key)
  },
  'each recipient that a DSN reports has one Notified event of its kind, and no other has one': (history) =>
    difference(
      distinct(
        history.witness.notifications.map(({ address, kind }) => `${history.message.id} ${address} ${kind}`),
      ),
      eventsOf(history, 'Notified').map((event) => `${recipientOf(event)} ${event.reason}`),
    ),
}

const eventsOf = ({ witness }: History, kind: EventKind): MailEvent[] =>
  [...witness.events.values()].filter((event) => event.kind === kind)

const recipientOf = ({ messageId = '', recipient = '' }: MailEvent): string =>
  keyOf({ message: messageId, address: recipient })

const attemptsOf = ({ witness }: History, key: string): MailEvent[] =>
  [...witness.events.values()].filter(
    (event) => (event.kind === 'Attempted' || event.kind === 'Delivered') && recipientOf(event) === key,
  )

const distinct = (values: readonly string[]): string[] => [...new Set(values)]

const dsnsOf = ({ witness }: History): string[] => distinct(witness.notifications.map(({ dsn }) => dsn))

const messagesOf = (history: History): string[] => [history.message.id, ...dsnsOf(history)]

function recipientsOf(history: History): Addressed[] {
  const { message, recipients } = history
  return [
    ...recipients.map(({ address }) => ({ message: message.id, address })),
    ...dsnsOf(history).map((dsn) => ({ message: dsn, address: message.envelope.mailFrom })),
  ]
}

const inState = (history: History, state: string): string[] =>
  recipientsOf(history)
    .filter(({ message, address }) => history.state(message, address) === state)
    .map(keyOf)

/** @returns the values of one list that the other has not, each as often as it is too often there */
function difference(expected: readonly string[], actual: readonly string[]): string[] {
  const left = [...actual]
  const missing = expected.filter((value) => {
    const index = left.indexOf(value)
    if (index >= 0) left.splice(index, 1)
    return index < 0
  })
  return [...missing.map((value) => `${value} is missing`), ...left.map((value) => `${value} is too much`)]
}
