/**
 * The events of many messages, while workers die, jobs come twice, requests are lost, connectors change and an
 * administrator retries. `EVENTS_MESSAGES` sets the number of messages.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryTable } from '../../support/pipeline/table.ts'
import { eventRules } from './event-rules.ts'
import { type History, type Mode, simulate } from './simulation.ts'

const messages = Number(process.env.EVENTS_MESSAGES ?? 3000)

const faults: Mode = { deaths: 0.05, duplicates: 0.2, failures: 0.03, changes: 0.02, retries: 0.02 }
/** Each message has one of these. */
const mixture: readonly Mode[] = [
  faults,
  { ...faults, unauthenticated: true },
  { ...faults, throttles: 0.5 },
  { ...faults, queueReturns: 0.5 },
  { ...faults, expiresSoon: true, returns: 0.02 },
  { ...faults, skewMs: 1_000 },
]

/** Seeds that the pipeline's other tests do not use. */
const firstSeed = 1_000_000

test(`the distinct events of ${messages} messages say what happened to them, no more and no less`, async () => {
  const totals = {
    messages: 0,
    accepted: 0,
    delivered: 0,
    deliveredEvents: 0,
    bounced: 0,
    bouncedEvents: 0,
    lost: 0,
  }
  for (let n = 0; n < messages; n++) {
    const history = await simulate(mixture[n % mixture.length] as Mode, firstSeed + n, new MemoryTable())
    for (const [sentence, findFaults] of Object.entries(eventRules))
      assert.deepEqual(
        findFaults(history),
        [],
        [`seed ${firstSeed + n}: ${sentence}`, ...history.log].join('\n'),
      )
    add(history)
  }
  console.log(JSON.stringify(totals))
  assert.equal(totals.accepted, totals.messages)
  assert.equal(totals.deliveredEvents, totals.delivered)
  assert.equal(totals.bouncedEvents, totals.bounced)
  assert.ok(totals.lost > 0 && totals.bounced > 0 && totals.delivered > messages, JSON.stringify(totals))

  function add({ message, recipients, witness, state }: History): void {
    const dsns = new Set(witness.notifications.map(({ dsn }) => dsn))
    const states = [
      ...recipients.map(({ address }) => state(message.id, address)),
      ...[...dsns].map((dsn) => state(dsn, message.envelope.mailFrom)),
    ]
    const events = [...witness.events.values()]
    totals.messages += 1 + dsns.size
    totals.accepted += events.filter(({ kind }) => kind === 'Accepted').length
    totals.delivered += states.filter((each) => each === 'Delivered').length
    totals.bounced += states.filter((each) => each === 'Bounced').length
    totals.deliveredEvents += new Set(
      events.flatMap(({ kind, messageId, recipient }) =>
        kind === 'Delivered' ? [`${messageId} ${recipient}`] : [],
      ),
    ).size
    totals.bouncedEvents += events.filter(({ kind }) => kind === 'Bounced').length
    totals.lost += events.filter(({ decision }) => decision === 'Unknown').length
  }
})
