/** Simulates the pipeline for one message, with the faults of a mode and the random numbers of a seed. */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { Message, Recipient } from '../../../shared/contract/message.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import {
  authenticatedMessage,
  inbound,
  outbound,
  receivedAt,
  recipient,
  snapshot,
} from '../../support/fixtures.ts'
import { type Faults, SimulatedDeployment, type SimulationOptions, storedContent } from './deployment.ts'
import { createRandom, type Random } from './random.ts'
import type { Witness } from './witness.ts'

export interface Mode extends Partial<Faults> {
  /** Whether a connector holds the message from the start. */
  held?: boolean
  /**
   * Connectors are deleted, disabled and loosened after the first decision, which forces TLS. The message comes from the
   * organisation, so that it can leave without a connector.
   */
  loosened?: boolean
  /** The message comes from outside, and its sender was not authenticated. */
  unauthenticated?: boolean
}

export const modes: Record<string, Mode> = {
  'when nothing goes wrong': {},
  'when the message must be authenticated': { unauthenticated: true },
  'when the message must be authenticated, workers die, jobs come twice, requests are lost and an administrator retries':
    {
      unauthenticated: true,
      skewMs: 1_000,
      deaths: 0.05,
      duplicates: 0.2,
      failures: 0.03,
      retries: 0.02,
      changes: 0.02,
    },
  'when jobs come twice': { duplicates: 0.3 },
  'when workers die': { deaths: 0.05 },
  'when workers die and jobs come twice': { deaths: 0.04, duplicates: 0.2 },
  'when bounce workers die': { deaths: 0.2, mortalUnits: ['bounce'] },
  'when requests or responses are lost': { failures: 0.05 },
  'when connectors change, workers die, jobs come twice and requests are lost': {
    changes: 0.02,
    deaths: 0.02,
    duplicates: 0.15,
    failures: 0.01,
  },
  'when connectors change, evaluation workers die and jobs come twice': {
    changes: 0.15,
    deaths: 0.15,
    mortalUnits: ['evaluate'],
    duplicates: 0.4,
  },
  'when connectors change, workers die, jobs come twice, requests are lost and an administrator retries': {
    changes: 0.1,
    deaths: 0.08,
    failures: 0.05,
    duplicates: 0.3,
    retries: 0.05,
  },
  'when connectors change, clocks differ, workers die, jobs come twice and an administrator retries': {
    changes: 0.1,
    skewMs: 1_000,
    deaths: 0.02,
    duplicates: 0.2,
    retries: 0.05,
  },
  'while a connector holds the message, workers die and jobs come twice': {
    held: true,
    deaths: 0.04,
    duplicates: 0.2,
  },
  'while the message expires and jobs come twice': { expiresSoon: true, duplicates: 0.5 },
  'while the message expires, workers die and jobs come twice': {
    expiresSoon: true,
    deaths: 0.05,
    duplicates: 0.2,
  },
  'while the message expires, connectors change, workers die and jobs come twice': {
    expiresSoon: true,
    changes: 0.02,
    deaths: 0.02,
    duplicates: 0.4,
  },
  'when destinations are busy, workers die, jobs come twice and requests are lost': {
    queueReturns: 0.9,
    deaths: 0.02,
    duplicates: 0.2,
    failures: 0.02,
  },
  'while the message expires, destinations are busy, connectors change, jobs come twice and an administrator retries':
    {
      queueReturns: 0.8,
      expiresSoon: true,
      changes: 0.02,
      duplicates: 0.2,
      retries: 0.02,
    },
  'when requests are throttled, workers die, jobs come twice and requests are lost': {
    throttles: 0.8,
    deaths: 0.03,
    duplicates: 0.2,
    failures: 0.03,
  },
  'while the message expires, requests are throttled, connectors change, jobs come twice and an administrator returns':
    {
      throttles: 0.8,
      expiresSoon: true,
      changes: 0.02,
      duplicates: 0.2,
      returns: 0.02,
    },
  'when an administrator retries': { retries: 0.05 },
  'when an administrator retries, workers die, jobs come twice and requests are lost': {
    retries: 0.05,
    deaths: 0.04,
    duplicates: 0.2,
    failures: 0.01,
  },
  'when an administrator retries, connectors change, workers die and jobs come twice': {
    retries: 0.1,
    changes: 0.05,
    deaths: 0.02,
    duplicates: 0.2,
  },
  'while a connector holds the message, an administrator retries, connectors change, workers die and jobs come twice':
    {
      held: true,
      retries: 0.05,
      changes: 0.01,
      deaths: 0.04,
      duplicates: 0.2,
    },
  'while a connector holds the message, and an administrator releases it': { held: true, releases: 0.05 },
  'while a connector holds the message, an administrator releases and drops, workers die, jobs come twice and requests are lost':
    {
      held: true,
      releases: 0.03,
      retries: 0.03,
      drops: 0.005,
      deaths: 0.03,
      duplicates: 0.2,
      failures: 0.02,
    },
  'while a connector holds the message, an administrator releases and returns, connectors change and jobs come twice':
    {
      held: true,
      releases: 0.03,
      returns: 0.005,
      changes: 0.02,
      duplicates: 0.2,
    },
  'when an administrator drops, workers die, jobs come twice and requests are lost': {
    retries: 0.02,
    drops: 0.02,
    deaths: 0.04,
    duplicates: 0.2,
    failures: 0.01,
  },
  'while the message expires, an administrator retries, workers die and jobs come twice': {
    expiresSoon: true,
    retries: 0.1,
    deaths: 0.03,
    duplicates: 0.3,
  },
  'when connectors are loosened': { loosened: true, changes: 0.1 },
  'when connectors are loosened, workers die, jobs come twice and requests are lost': {
    loosened: true,
    changes: 0.1,
    deaths: 0.05,
    duplicates: 0.3,
    failures: 0.02,
  },
  'when connectors are loosened, evaluation workers die and jobs come twice': {
    loosened: true,
    changes: 0.2,
    deaths: 0.15,
    mortalUnits: ['evaluate'],
    duplicates: 0.4,
  },
  'when connectors are loosened, and an administrator retries, releases, returns and drops': {
    loosened: true,
    changes: 0.1,
    retries: 0.02,
    releases: 0.01,
    returns: 0.002,
    drops: 0.002,
  },
  'when connectors are loosened, an administrator retries, releases, returns and drops, workers die and jobs come twice':
    {
      loosened: true,
      changes: 0.1,
      retries: 0.02,
      releases: 0.01,
      returns: 0.002,
      drops: 0.002,
      deaths: 0.03,
      duplicates: 0.2,
    },
}

const noFaults: Faults = {
  duplicates: 0,
  deaths: 0,
  mortalUnits: ['evaluate', 'authenticate', 'deliver', 'bounce', 'retry'],
  failures: 0,
  queueReturns: 0,
  throttles: 0,
  changes: 0,
  retries: 0,
  releases: 0,
  returns: 0,
  drops: 0,
  skewMs: 0,
  expiresSoon: false,
}

export interface History {
  /** Whether connectors were loosened after the first decision. */
  isLoosened: boolean
  /** Whether a connector holds the message all the time. */
  isAlwaysHeld: boolean
  message: Message
  recipients: Recipient[]
  witness: Witness
  deadLetters: number
  /** Whether all queues were empty at the end. */
  ended: boolean
  /** Returns the state of a recipient in the trace at the end. */
  state(messageId: string, address: string): string | undefined
  log: string[]
  /** Every job that was sent, in order. */
  sent: readonly { unit: string; body: string }[]
}

const toNorthwind = outbound({ expirationHours: 12, tlsSettings: 'EncryptionOnly' })
const connectors = (changed: Parameters<typeof snapshot>[0]) =>
  snapshot({ outbound: [toNorthwind], acceptedDomains: ['northwind.example'], ...changed })
const delivering = connectors({})
const holding = connectors({
  inbound: [inbound({ senderDomains: ['elsewhere.example'], onViolation: 'Defer' })],
})
const refusing = connectors({ inbound: [inbound({ senderDomains: ['elsewhere.example'] })] })
const bouncingOnTlsFailure = connectors({ outbound: [{ ...toNorthwind, onTlsFailure: 'Bounce' }] })

const verified = outbound({
  expirationHours: 12,
  tlsSettings: 'DomainValidation',
  tlsDomain: 'mx.northwind.example',
})
const only = (...connectors: ReturnType<typeof outbound>[]) => snapshot({ outbound: connectors })
const forcing = only(verified)
const loosenedSets = [
  forcing,
  only(),
  only({ ...verified, enabled: false }),
  only({ ...verified, mode: 'ReportOnly' }),
  only({ ...verified, tlsSettings: null, tlsDomain: null }),
  only({ ...verified, tlsSettings: 'EncryptionOnly', tlsDomain: null }),
  only({ ...verified, tlsDomain: 'mx.elsewhere.example' }),
  only({ ...verified, route: 'SmartHosts', smartHosts: [{ host: 'elsewhere.example', port: 25 }] }),
  only({ ...verified, minimumTlsVersion: 'TLSv1.3' }),
]

/** @param at when the message is received */
export async function simulate(
  mode: Mode,
  seed: number,
  table: SimulationOptions['table'],
  at = receivedAt,
): Promise<History> {
  const { held = false, loosened = false, unauthenticated = false, ...modeFaults } = mode
  const faults = { ...noFaults, ...modeFaults }
  const random = createRandom(seed)
  const { sent, recipients, octets } = mail(seed, random, {
    isFromOrganisation: loosened,
    isAuthenticated: !unauthenticated,
    at,
  })
  const setup = new SimulatedDeployment({
    random,
    faults,
    table,
    connectors: loosened ? forcing : held ? holding : delivering,
    otherConnectors: loosened ? loosenedSets : [delivering, refusing, bouncingOnTlsFailure, holding],
    mayChange: ({ decided }) =>
      !loosened || recipients.every(({ address }) => decided.has(`${sent.id} ${address}`)),
    now: at.getTime() + (held ? 0 : ageMs(faults, random)),
  })
  setup.accept({ message: sent, recipients, notBefore: null }, octets)
  await setup.run()
  return {
    isLoosened: loosened,
    // The connector does not apply to the null reverse path.
    isAlwaysHeld: held && faults.changes === 0 && sent.envelope.mailFrom !== '',
    message: sent,
    recipients,
    witness: setup.witness,
    deadLetters: setup.queues.deadLetters.length,
    ended: setup.queues.nextVisible() === null,
    state: await readStates(table, sent, recipients, setup.witness),
    log: setup.log,
    sent: setup.queues.sent,
  }
}

/** Creates a message. Some have a null reverse path, some use NOTIFY=NEVER, some request success DSNs. */
function mail(
  seed: number,
  random: Random,
  {
    isFromOrganisation,
    isAuthenticated,
    at,
  }: { isFromOrganisation: boolean; isAuthenticated: boolean; at: Date },
) {
  const id = `01KF0CVZT0${String(seed).padStart(16, '0')}`
  const { content, octets } = storedContent(id)
  const mailFrom = random.happens(0.1) ? '' : 'a@elsewhere.example'
  const sent = authenticatedMessage({
    id,
    receivedAt: at.toISOString(),
    content,
    size: octets.length,
    mailFrom,
    ...(isFromOrganisation && { source: null }),
  })
  if (!isAuthenticated) delete sent.authentication
  const recipients = Array.from({ length: 1 + (seed % 3) }, (_, index) =>
    recipient({ address: `r${index}@northwind.example`, notify: random.oneOf(notifyValues) }),
  )
  return { sent, recipients, octets }
}

const notifyValues: readonly Recipient['notify'][] = [
  ...Array<null>(6).fill(null),
  ['NEVER'],
  ['SUCCESS', 'FAILURE'],
  ['SUCCESS', 'FAILURE', 'DELAY'],
]

/**
 * Returns the age of a message at the start: nearly twelve hours, so that the message expires soon. If the mode does
 * not require that, half of the messages are new.
 */
function ageMs({ expiresSoon }: Faults, random: Random): number {
  if (!expiresSoon && random.happens(0.5)) return 0
  return (12 * 60 - random.integerBelow(expiresSoon ? 7 : 40)) * 60_000
}

async function readStates(
  table: SimulationOptions['table'],
  { id }: Message,
  recipients: readonly Recipient[],
  { notifications }: Witness,
): Promise<History['state']> {
  const trace = new Trace(table as unknown as DynamoDBDocumentClient, 'messages')
  const states = new Map<string, string>()
  const addStates = async (messageId: string, addresses: string[]) => {
    for (const [address, { state }] of await trace.progress(messageId, addresses))
      states.set(`${messageId} ${address}`, state ?? 'Pending')
  }
  await addStates(
    id,
    recipients.map(({ address }) => address),
  )
  for (const dsn of new Set(notifications.map(({ dsn }) => dsn)))
    await addStates(dsn, ['a@elsewhere.example'])
  return (messageId, address) => states.get(`${messageId} ${address}`)
}
