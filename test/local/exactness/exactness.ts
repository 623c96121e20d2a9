/**
 * Compares the rollups with what clients and a partner's server counted at their sockets, while workers and the ingress
 * are killed, queues deliver messages twice and late, and some events are recorded hours late. Then an event is lost.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { addHours, hourOf, hoursBetween } from '../../../shared/events/hours.ts'
import type { RollupRow } from '../../../shared/events/rollup-row.ts'
import { missingCount, type SealMarker } from '../../../shared/events/seal-marker.ts'
import { setUpMailboxServer } from '../../support/local/mailbox-server.ts'
import { Api, type RunnerProcess, startRunner, waitForResult } from '../../support/local/runner.ts'
import { Random } from '../../support/random.ts'
import { Clients } from './clients.ts'
import { type Arrived, startCountingPartner } from './counting-partner.ts'
import { type FaultCounts, Faults } from './faults.ts'
import { behaviourOf, plannedMessage } from './planned-mail.ts'
import { type ReportSum, reportSums } from './report-sums.ts'
import { SealedHours } from './sealed-hours.ts'

/** What was counted at sockets, and the sum of the rollups. */
export interface Comparison {
  what: string
  counted: number
  rollups: number
  /** Whether the sum may be larger than what was counted. */
  relation: '=' | '<='
}

export interface Report {
  comparisons: Comparison[]
  reports: ReportSum[]
  /** Recipients of whose mail the partner got a copy, because a worker was killed. */
  copies: number
  unanswered: number
  faults: FaultCounts
  late: { objects: number; events: number }
  duplicateEvents: number
  missing: number
  lost: {
    messageId: string | undefined
    missing: number
    samples: (string | undefined)[]
    /** The metric in the log of seal-hour. */
    metric: number
  }
  seconds: { load: number; drain: number; seal: number }
}

/** Hours after the load in which late events are recorded. */
const lateHours = 5
/** Hours from the receipt of a message to the last seal that compares its events with the messages table. */
const lastLookHours = 49

export async function runExactness(messages: number, seed: number): Promise<Report> {
  const random = new Random(seed)
  const partner = await startCountingPartner()
  const runner = await startRunner({ names: {} })
  try {
    const api = new Api(runner.endpoints)
    await setUp(api, partner.port)
    const first = hourOf(Date.now())
    const clients = new Clients(runner.endpoints, messages)
    const faults = new Faults(runner, { messages, random, clients })
    const times = [performance.now()]
    await faults.runDuring(clients.run())
    times.push(performance.now())
    await drain(runner, api, faults)
    times.push(performance.now())
    const last = hourOf(Date.now())
    const hours = new SealedHours(runner.endpoints)
    await sealAll(hours, hoursBetween(addHours(first, -1), last))
    const reports = await reportSums(runner.endpoints, clients, partner.arrived())
    const late = (await hours.rawKeys()).filter(() => random.happens(0.1))
    for (const key of late) await hours.moveRaw(key, addHours(last, lateHours))
    const sealed = [
      ...hoursBetween(addHours(first, -1), last),
      addHours(last, lateHours),
      ...hoursBetween(addHours(first, lastLookHours), addHours(last, lastLookHours)),
    ]
    const markers = await sealAll(hours, sealed)
    const comparisons = compare(clients, partner.arrived(), partner.refusals, await hours.rows())
    times.push(performance.now())
    const metricBefore = metric(runner, 'EventsMissing')
    const lost = await hours.loseEvent('Delivered')
    const markersAfter = await sealAll(hours, sealed)
    const arrived = partner.arrived()
    return {
      comparisons,
      reports,
      copies: arrived.transmissions - arrived.deliveries.size,
      unanswered: clients.counts.unanswered,
      faults: faults.counts,
      late: { objects: late.length, events: sum(markers, ({ late }) => late) },
      duplicateEvents: sum(markers, ({ duplicates }) => duplicates),
      missing: sum(markers, ({ reconciliation }) => missingCount(reconciliation)),
      lost: {
        messageId: lost.messageId,
        missing: sum(markersAfter, ({ reconciliation }) => missingCount(reconciliation)),
        samples: markersAfter.flatMap(({ reconciliation }) =>
          reconciliation.samples.map(({ messageId }) => messageId),
        ),
        metric: await loggedMetric(runner, metricBefore),
      },
      seconds: {
        load: secondsBetween(times, 0),
        drain: secondsBetween(times, 1),
        seal: secondsBetween(times, 2),
      },
    }
  } finally {
    await runner.stop()
    await partner.stop()
  }
}

/** Mail of ours.example and of others comes from this machine; every next hop is the partner. */
async function setUp(api: Api, port: number): Promise<void> {
  await setUpMailboxServer(api, { port })
  await api.create('inbound', {
    name: 'own server',
    connectorType: 'OnPremises',
    senderDomains: ['ours.example'],
    senderIpAddresses: ['127.0.0.1'],
    requireTls: false,
  })
  await api.create('inbound', {
    name: 'from the bank',
    connectorType: 'Partner',
    senderDomains: ['bank.example'],
  })
  await api.create('outbound', {
    name: 'to the partner',
    connectorType: 'Partner',
    recipientDomains: ['partner.example', 'elsewhere.example'],
    route: 'SmartHosts',
    smartHosts: [{ host: '127.0.0.1', port }],
    tlsSettings: null,
  })
}

const maxDrainMs = 60 * 60_000

/** Waits until every recipient is settled and every event is stored. Deferred recipients are retried. */
async function drain(runner: RunnerProcess, api: Api, faults: Faults): Promise<void> {
  const deadline = Date.now() + maxDrainMs
  let emptyPolls = 0
  while (Date.now() < deadline) {
    await delay(1000)
    await faults.endWaits()
    emptyPolls = (await hasJobs(runner)) ? 0 : emptyPolls + 1
    // An empty poll may fall between the receipt of one job and the sending of the next.
    if (emptyPolls < 3) continue
    if ((await retryAll(api)) === 0) return
    emptyPolls = 0
  }
  throw new Error('the stack still has jobs')
}

/** @returns the number of recipients that are not settled */
async function retryAll(api: Api): Promise<number> {
  let requested = 0
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '' : `?cursor=${encodeURIComponent(cursor)}`
    const answer: { requested: number; nextCursor: string | null } = await api.call(
      'POST',
      `/messages/retry${query}`,
    )
    requested += answer.requested
    cursor = answer.nextCursor
  } while (cursor !== null)
  return requested
}

/** Whether a queue has jobs, except the timers of deferred mail. */
async function hasJobs({ endpoints }: RunnerProcess): Promise<boolean> {
  const sqs = new SQSClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    endpoint: endpoints.sqs,
  })
  const counts = await Promise.all(
    Object.entries(endpoints.queues).map(async ([name, QueueUrl]) => {
      const { Attributes = {} } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
      )
      const all = Attributes as Record<string, string>
      const [visible, held, delayed] = ['', 'NotVisible', 'Delayed'].map((kind) =>
        Number(all[`ApproximateNumberOfMessages${kind}`]),
      ) as [number, number, number]
      if (name.endsWith('DeadLetters')) assert.equal(visible, 0, `${name} is empty`)
      return visible + held + (name === 'evaluation' ? 0 : delayed)
    }),
  )
  return counts.some((count) => count > 0)
}

async function sealAll(hours: SealedHours, sealed: readonly string[]): Promise<SealMarker[]> {
  const markers: SealMarker[] = []
  for (const hour of sealed) markers.push(...(await hours.seal({ hour })))
  return markers
}

export function compare(
  { counts }: Pick<Clients, 'counts'>,
  { serials, deliveries, transmissions, dsns, reported }: Arrived,
  refusals: { later: number; never: number },
  rows: readonly RollupRow[],
): Comparison[] {
  const events = (kind: RollupRow['kind'], fields: Partial<RollupRow> = {}) =>
    sum(
      rows.filter(
        (row) =>
          row.kind === kind &&
          Object.entries(fields).every(([name, value]) => row[name as keyof RollupRow] === value),
      ),
      (row) => row.events,
    )
  // The partner shows which messages were stored although their clients got no reply.
  const accepted = new Map([...counts.accepted, ...serials])
  const recipients = [...accepted.values()].flatMap((serial) => plannedMessage(serial).recipients)
  const bounced = recipients.filter((address) => behaviourOf(address) === 'never').length
  const unknown = events('Attempted', { decision: 'Unknown' })
  const [later, never] = (['TemporaryFailure', 'PermanentFailure'] as const).map((decision) =>
    events('Attempted', { decision }),
  ) as [number, number]
  const failures = refusals.later + refusals.never
  return [
    {
      what: 'Accepted: messages of clients, and DSNs',
      counted: accepted.size + dsns.size,
      rollups: events('Accepted'),
      relation: '=',
    },
    {
      what: 'Delivered: messages and recipients at the partner',
      counted: deliveries.size,
      rollups: events('Delivered'),
      relation: '=',
    },
    {
      what: 'the same, by the plan',
      counted: recipients.length - bounced + dsns.size,
      rollups: events('Delivered'),
      relation: '=',
    },
    {
      what: 'Bounced: recipients that the partner never takes',
      counted: bounced,
      rollups: events('Bounced'),
      relation: '=',
    },
    {
      what: 'Notified: recipients in DSNs at the partner',
      counted: reported.size,
      rollups: events('Notified'),
      relation: '=',
    },
    {
      what: 'Rejected: refusals at clients',
      counted: counts.refused,
      rollups: sum(
        rows.filter(({ kind }) => kind === 'Rejected'),
        (row) => row.count,
      ),
      relation: '=',
    },
    {
      what: 'transmissions <= Delivered + Unknown',
      counted: transmissions,
      rollups: events('Delivered') + unknown,
      relation: '<=',
    },
    {
      what: 'refused attempts <= failed + Unknown',
      counted: failures,
      rollups: later + never + unknown,
      relation: '<=',
    },
  ]
}

export const isExact = ({ counted, rollups, relation }: Comparison): boolean =>
  relation === '=' ? counted === rollups : counted <= rollups

/** Waits for the log. @returns by how much the metric has increased */
async function loggedMetric(runner: RunnerProcess, before: number): Promise<number> {
  const read = () => metric(runner, 'EventsMissing') - before
  await waitForResult(() => (read() > 0 ? true : null), 200, 5000).catch(() => undefined)
  return read()
}

function metric({ endpoints: { logs } }: RunnerProcess, name: string): number {
  const lines = readdirSync(logs).flatMap((file) => readFileSync(join(logs, file), 'utf8').split('\n'))
  return sum(
    lines.filter((line) => line.includes('"_aws"') && line.includes(`"${name}"`)),
    (line) => sum([JSON.parse(line)[name] ?? 0].flat() as number[], (value) => value),
  )
}

const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((total, item) => total + value(item), 0)

const secondsBetween = (times: readonly number[], index: number): number =>
  Math.round(((times[index + 1] ?? Number.NaN) - (times[index] ?? Number.NaN)) / 100) / 10
