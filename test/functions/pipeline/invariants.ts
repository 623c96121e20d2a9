/** What holds of every run, whatever happens in it: sentences, and who breaks them. */
import type { Recipient } from '../../../shared/contract/message.ts'
import type { History } from './simulation.ts'
import type { Notification, Transmission, Witness } from './witness.ts'
import { faultsInAll } from './world.ts'

interface Case {
  history: History
  recipient: Recipient
  state: string | undefined
  transmissions: Transmission[]
  delivered: Transmission[]
  failed: Notification[]
  delayed: Notification[]
  relayed: Notification[]
}

/** Each about one recipient of the message. */
const ofRecipients: Record<string, (given: Case) => boolean> = {
  'a recipient ends as Delivered or Bounced': ({ state }) => state === 'Delivered' || state === 'Bounced',
  'nothing is Delivered that no next hop took': ({ state, delivered }) =>
    state !== 'Delivered' || delivered.length > 0,
  // A worker that died after the 250 and before it wrote that down is all that can come between.
  'nothing is Bounced that a next hop is known to have taken': ({ state, delivered }) =>
    state !== 'Bounced' || delivered.every(({ written }) => !written),
  'a recipient gets one copy, and one more for each worker that died before it wrote down the last': ({
    delivered,
  }) => delivered.length <= 1 + delivered.filter(({ written }) => !written).length,
  'nothing is transmitted once the sender was told of the failure': ({ transmissions, failed }) =>
    transmissions.every(({ order }) => failed.every((told) => order < told.order)),
  'the sender hears of a failure when it wants to': ({ history, recipient, state, failed }) =>
    failed.length > 0 === (state === 'Bounced' && wantsDsn(history, recipient)),
  // A copy that was made because nothing was known of the first may have gone to a server that does tell.
  'the sender hears of a success when it wants to and nobody else tells': ({
    history,
    recipient,
    state,
    delivered,
    relayed,
  }) =>
    relayed.length > 0
      ? wantsWordOfSuccess(history, recipient) &&
        state === 'Delivered' &&
        delivered.some(({ dsnPassedOn }) => !dsnPassedOn)
      : !wantsWordOfSuccess(history, recipient) ||
        state !== 'Delivered' ||
        delivered.some(({ dsnPassedOn }) => dsnPassedOn),
  'one DSN tells of a success': ({ relayed }) => toldOnce(relayed),
  'one DSN tells of a failure': ({ failed }) => toldOnce(failed),
  'one DSN tells of a delay': ({ delayed }) => toldOnce(delayed),
}

/** Each about a run as a whole. */
const ofRuns: Record<string, (history: History) => boolean> = {
  'the queues run empty': ({ ended }) => ended,
  'nothing becomes a dead letter': ({ deadLetters }) => deadLetters === 0,
  'a job tells nobody again whom a DSN of its own has told, of which anything was written down': ({
    witness,
  }) =>
    witness.notifications.every(
      (told) => !witness.notifications.some((earlier) => repeats(told, earlier, witness)),
    ),
  'nothing leaves by older connectors, but an attempt that a worker began and did not end': ({ witness }) =>
    witness.transmissions.filter(({ outdated }) => outdated).every((made) => wasBegunBefore(made, witness)),
  'what is read is what was stored': ({ witness }) => witness.mismatches.length === 0,
  'timers do not multiply': ({ message, recipients, witness }) =>
    [...Map.groupBy(witness.evaluations, (id) => id)].every(([id, { length }]) => {
      const attempts = witness.transmissions.filter((made) => made.message === id).length
      return id === message.id
        ? length <= mostEvaluations(recipients.length, attempts, witness.retries + witness.handedBack)
        : length <= mostEvaluations(1, attempts, witness.handedBack)
    }),
  'a DSN is settled as any message, and copied no more': ({ witness, state }) =>
    witness.notifications.every(({ dsn }) => {
      const copies = witness.transmissions.filter(({ message, written }) => message === dsn && written)
      const settled = ['Delivered', 'Bounced'].includes(state(dsn, 'a@elsewhere.example') ?? '')
      return settled && copies.filter(({ delivered }) => delivered).length <= 1
    }),
}

/** @returns each sentence that the run breaks */
export function broken(history: History): string[] {
  const cases = history.recipients.map((recipient) => caseOf(history, recipient))
  const wrong = Object.entries(ofRecipients).flatMap(([sentence, holds]) =>
    cases.filter((given) => !holds(given)).map(({ recipient }) => `${sentence}: not ${recipient.address}`),
  )
  const wrongAtAll = Object.entries(ofRuns).filter(([, holds]) => !holds(history))
  return [...wrong, ...wrongAtAll.map(([sentence]) => sentence)]
}

function caseOf(history: History, recipient: Recipient): Case {
  const { message, witness, state } = history
  const { address } = recipient
  const transmissions = witness.transmissions.filter(
    (made) => made.message === message.id && made.address === address,
  )
  const told = witness.notifications.filter((notification) => notification.address === address)
  return {
    history,
    recipient,
    state: state(message.id, address),
    transmissions,
    delivered: transmissions.filter(({ delivered }) => delivered),
    failed: told.filter(({ kind }) => kind === 'failed'),
    delayed: told.filter(({ kind }) => kind === 'delayed'),
    relayed: told.filter(({ kind }) => kind === 'relayed'),
  }
}

/** RFC 3461 §4.1. */
const wantsDsn = ({ message }: History, { notify }: Recipient): boolean =>
  message.envelope.mailFrom !== '' && !notify?.includes('NEVER')

const wantsWordOfSuccess = ({ message }: History, { notify }: Recipient): boolean =>
  message.envelope.mailFrom !== '' && (notify?.includes('SUCCESS') ?? false)

const wasBegunBefore = (made: Transmission, { claims }: Witness): boolean =>
  claims.some(
    ({ message, address, attempt, worker }) =>
      message === made.message &&
      address === made.address &&
      attempt === made.attempt &&
      worker !== made.worker,
  )

/**
 * A DSN handed in twice is one message. One whose worker died before it wrote anything of it down is not known to
 * anybody, so another is sent.
 */
function toldOnce(notifications: readonly Notification[]): boolean {
  const known = notifications.filter(({ written }) => written !== null)
  return new Set(known.map(({ dsn }) => dsn)).size <= 1
}

const repeats = (
  told: Notification,
  { dsn, ...earlier }: Notification,
  { notifications }: Witness,
): boolean =>
  dsn !== told.dsn &&
  earlier.job === told.job &&
  earlier.address === told.address &&
  notifications.some((known) => known.dsn === dsn && known.written !== null && known.written < told.order)

/**
 * Each recipient's first and last, and its timers of twelve hours; each attempt's outcome and timer; faults; each
 * retry's own and that of each job handed back, and what it makes come twice: a recipient's next timer, or the
 * outcome of its attempt.
 */
const mostEvaluations = (recipients: number, attempts: number, retries: number): number =>
  recipients * (2 + 12 * 4) + 2 * attempts + 2 * faultsInAll + retries * (1 + recipients)
