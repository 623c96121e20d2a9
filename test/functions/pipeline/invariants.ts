/** Rules that hold for every run, and the check of one run. */
import type { Recipient } from '../../../shared/contract/message.ts'
import { maxFaults } from './deployment.ts'
import { eventRules } from './events/event-rules.ts'
import type { History } from './simulation.ts'
import type { Notification, RecordedRequest, Transmission, Witness } from './witness.ts'

interface RecipientCase {
  history: History
  recipient: Recipient
  state: string | undefined
  transmissions: Transmission[]
  delivered: Transmission[]
  failed: Notification[]
  delayed: Notification[]
  relayed: Notification[]
  requests: RecordedRequest[]
}

/** Each rule is about one recipient of the message. */
const recipientRules: Record<string, (recipientCase: RecipientCase) => boolean> = {
  'a recipient ends as Delivered or Bounced': ({ state }) => state === 'Delivered' || state === 'Bounced',
  'a message is Delivered only if a next hop accepted it': ({ state, delivered }) =>
    state !== 'Delivered' || delivered.length > 0,
  // The rule permits an unrecorded acceptance: a worker may die between the reply 250 and its record.
  'a message is not Bounced if the acceptance by a next hop is recorded': ({ state, delivered }) =>
    state !== 'Bounced' || delivered.every(({ isRecorded: written }) => !written),
  'a recipient gets one copy, and one more for each acceptance that its worker did not record': ({
    delivered,
  }) => delivered.length <= 1 + delivered.filter(({ isRecorded: written }) => !written).length,
  'a message from outside is transmitted only with authentication results': ({ transmissions }) =>
    transmissions.every(({ isAuthenticated }) => isAuthenticated),
  'nothing is transmitted after the sender got the failure DSN': ({ transmissions, failed }) =>
    transmissions.every(({ order }) => failed.every((notification) => order < notification.order)),
  'nothing is transmitted with less than the first requirement, whatever an administrator requests': ({
    history: { isLoosened, isAlwaysHeld },
    transmissions,
  }) =>
    (!isLoosened || transmissions.every(hasFirstRequirement)) &&
    (!isAlwaysHeld ||
      transmissions.every(({ tls }) => tls.level === 'EncryptionOnly' && tls.mode === 'Enforce')),
  'mail that a connector holds is transmitted only after a release': ({
    history: { isAlwaysHeld },
    transmissions,
    requests,
  }) =>
    !isAlwaysHeld ||
    transmissions.every((transmission) =>
      requests.some(({ kind, order }) => kind === 'Release' && order < transmission.order),
    ),
  'the sender gets a failure DSN when it requested one, unless an administrator dropped the message': ({
    history,
    recipient,
    state,
    failed,
    requests,
  }) =>
    failed.length > 0 ===
    (state === 'Bounced' &&
      requestsFailureDsn(history, recipient) &&
      requests.every(({ kind }) => kind !== 'Drop')),
  'the event of each request of an administrator was sent before the request was recorded': ({ requests }) =>
    requests.every(({ hasEvent }) => hasEvent),
  // When a recipient got two copies, one next hop may support DSN and the other not. Then both results are right.
  'the sender gets a success DSN when it requested one and no next hop sends it': ({
    history,
    recipient,
    state,
    delivered,
    relayed,
  }) =>
    relayed.length > 0
      ? requestsSuccessDsn(history, recipient) &&
        state === 'Delivered' &&
        delivered.some(({ dsnPassedOn }) => !dsnPassedOn)
      : !requestsSuccessDsn(history, recipient) ||
        state !== 'Delivered' ||
        delivered.some(({ dsnPassedOn }) => dsnPassedOn),
  'at most one recorded DSN reports a success': ({ relayed }) => isNotifiedOnce(relayed),
  'at most one recorded DSN reports a failure': ({ failed }) => isNotifiedOnce(failed),
  'at most one recorded DSN reports a delay': ({ delayed }) => isNotifiedOnce(delayed),
}

/** The requirement of the first decision, which no later decision of an administrator lowers. */
const hasFirstRequirement = ({ route, tls }: Transmission): boolean =>
  route.kind === 'Mx' &&
  tls.level === 'DomainValidation' &&
  tls.mode === 'Enforce' &&
  tls.tlsDomain === 'mx.northwind.example'

/** Each rule is about a whole run. */
const runRules: Record<string, (history: History) => boolean> = {
  'all queues are empty at the end': ({ ended }) => ended,
  'no job becomes a dead letter': ({ deadLetters }) => deadLetters === 0,
  'a bounce job does not report a recipient again if an earlier recorded DSN of that job reported it': ({
    witness,
  }) =>
    witness.notifications.every(
      (later) => !witness.notifications.some((earlier) => repeats(later, earlier, witness)),
    ),
  'no message is sent under older connectors, except in an attempt that another worker had claimed': ({
    witness,
  }) =>
    witness.transmissions
      .filter(({ isStale: stale }) => stale)
      .every((transmission) => hadBegunBefore(transmission, witness)),
  'the octets read are the stored octets': ({ witness }) => witness.mismatches.length === 0,
  'timers do not multiply': ({ message, recipients, witness }) =>
    [...Map.groupBy(witness.evaluations, (id) => id)].every(([id, { length }]) => {
      const attempts = witness.transmissions.filter((transmission) => transmission.message === id).length
      return id === message.id
        ? length <= maxEvaluations(recipients.length, attempts, witness.retries + witness.returnedForDecision)
        : length <= maxEvaluations(1, attempts, witness.returnedForDecision)
    }),
  'a DSN is settled like any message, and at most one accepted copy is recorded': ({ witness, state }) =>
    witness.notifications.every(({ dsn }) => {
      const copies = witness.transmissions.filter(
        ({ message, isRecorded: written }) => message === dsn && written,
      )
      const settled = ['Delivered', 'Bounced'].includes(state(dsn, 'a@elsewhere.example') ?? '')
      return settled && copies.filter(({ isAccepted: delivered }) => delivered).length <= 1
    }),
}

/** @returns each rule that the run breaks */
export function brokenRules(history: History): string[] {
  const cases = history.recipients.map((recipient) => caseOf(history, recipient))
  const brokenRecipientRules = Object.entries(recipientRules).flatMap(([sentence, holds]) =>
    cases
      .filter((recipientCase) => !holds(recipientCase))
      .map(({ recipient }) => `${sentence}: not ${recipient.address}`),
  )
  const brokenRunRules = Object.entries(runRules).filter(([, holds]) => !holds(history))
  const brokenEventRules = Object.entries(eventRules).flatMap(([sentence, findFaults]) =>
    findFaults(history).map((fault) => `${sentence}: ${fault}`),
  )
  return [...brokenRecipientRules, ...brokenRunRules.map(([sentence]) => sentence), ...brokenEventRules]
}

function caseOf(history: History, recipient: Recipient): RecipientCase {
  const { message, witness, state } = history
  const { address } = recipient
  const transmissions = witness.transmissions.filter(
    (transmission) => transmission.message === message.id && transmission.address === address,
  )
  const results = witness.notifications.filter((notification) => notification.address === address)
  return {
    history,
    recipient,
    state: state(message.id, address),
    transmissions,
    delivered: transmissions.filter(({ isAccepted: delivered }) => delivered),
    failed: results.filter(({ kind }) => kind === 'failed'),
    delayed: results.filter(({ kind }) => kind === 'delayed'),
    relayed: results.filter(({ kind }) => kind === 'relayed'),
    requests: witness.requests.filter((each) => each.message === message.id && each.address === address),
  }
}

/** RFC 3461 §4.1 */
const requestsFailureDsn = ({ message }: History, { notify }: Recipient): boolean =>
  message.envelope.mailFrom !== '' && !notify?.includes('NEVER')

const requestsSuccessDsn = ({ message }: History, { notify }: Recipient): boolean =>
  message.envelope.mailFrom !== '' && (notify?.includes('SUCCESS') ?? false)

const hadBegunBefore = (transmission: Transmission, { claims }: Witness): boolean =>
  claims.some(
    ({ message, address, attempt, worker }) =>
      message === transmission.message &&
      address === transmission.address &&
      attempt === transmission.attempt &&
      worker !== transmission.worker,
  )

/**
 * Whether at most one DSN was recorded. The same DSN sent again has the same id. Unrecorded DSNs are not counted: when
 * a worker died before it recorded a DSN, another DSN is allowed.
 */
function isNotifiedOnce(notifications: readonly Notification[]): boolean {
  const recorded = notifications.filter(({ recordedOrder: written }) => written !== null)
  return new Set(recorded.map(({ dsn }) => dsn)).size <= 1
}

const repeats = (
  later: Notification,
  { dsn, ...earlier }: Notification,
  { notifications }: Witness,
): boolean =>
  dsn !== later.dsn &&
  earlier.job === later.job &&
  earlier.address === later.address &&
  notifications.some(
    (notification) =>
      notification.dsn === dsn &&
      notification.recordedOrder !== null &&
      notification.recordedOrder < later.order,
  )

/**
 * Returns the maximum number of evaluation jobs, which is the sum of:
 * - for each recipient: the first job, the last job, and four timers an hour for twelve hours;
 * - for each attempt: its outcome and its timer;
 * - for each fault: two jobs;
 * - for each retry or returned job: the job itself and, for each recipient, one duplicate of the next timer or outcome.
 */
const maxEvaluations = (recipients: number, attempts: number, retries: number): number =>
  recipients * (2 + 12 * 4) + 2 * attempts + 2 * maxFaults + retries * (1 + recipients)
