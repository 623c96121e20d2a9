import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Rejection } from '../../../../functions/smtp-ingress/rejections/rejection.ts'
import {
  maxHours,
  maxWaiting,
  RejectionAggregator,
  variousReasons,
} from '../../../../functions/smtp-ingress/rejections/rejection-aggregator.ts'
import type { EventFields } from '../../../../shared/events/create-event.ts'

const start = Date.parse('2026-04-02T10:00:00.000Z')

const rejection = (fields: Partial<Rejection> = {}): Rejection => ({
  at: start,
  ip: '192.0.2.1',
  stage: 'Rcpt',
  reason: 'RelayDenied',
  reply: '550 5.7.64 Relay access denied',
  details: () => ({ sender: 'a@elsewhere.example' }),
  ...fields,
})

const sumOf = (events: readonly EventFields[]) => events.reduce((sum, { count = 1 }) => sum + count, 0)
const isDetailed = ({ count }: EventFields) => count === undefined
const ipOf = (number: number) => `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`

/** Adds rejections at a rate, takes the events each second. @returns the events of each second */
function simulate(
  perSecond: number,
  seconds: number,
  rejectionOf: (number: number) => Partial<Rejection>,
): EventFields[][] {
  const aggregator = new RejectionAggregator()
  return Array.from({ length: seconds }, (_, second) => {
    for (let index = 0; index < perSecond; index++)
      aggregator.add(
        rejection({
          at: start + second * 1000 + Math.floor((index * 1000) / perSecond),
          ...rejectionOf(second * perSecond + index),
        }),
      )
    return aggregator.take()
  })
}

describe('the rejection aggregator', () => {
  test('keeps the details of a few rejections', () => {
    const aggregator = new RejectionAggregator()
    for (let number = 0; number < 50; number++) aggregator.add(rejection({ connector: 'c1' }))
    const events = aggregator.take()
    assert.equal(events.length, 50)
    assert.deepEqual(events[0], {
      at: '2026-04-02T10:00:00.000Z',
      decision: 'Refuse',
      state: 'Rejected',
      stage: 'Rcpt',
      reason: 'RelayDenied',
      reply: '550 5.7.64 Relay access denied',
      inboundConnector: 'c1',
      mode: 'Enforce',
      sender: 'a@elsewhere.example',
      clientIp: '192.0.2.1',
    })
    assert.ok(aggregator.isEmpty)
    assert.deepEqual(aggregator.take(), [])
  })

  test('counts the further rejections of a client together, without their details', () => {
    const aggregator = new RejectionAggregator()
    for (let number = 0; number < 1000; number++) aggregator.add(rejection({ ip: '2001:db8::1' }))
    const counted = aggregator.take().filter((event) => !isDetailed(event))
    assert.equal(counted.length, 1)
    const { clientIp, count, sender, reason } = counted[0] ?? assert.fail()
    assert.deepEqual([clientIp, count, sender, reason], ['2001:db8::/64', 950, undefined, 'RelayDenied'])
  })

  const distinctions: [what: string, other: Partial<Rejection>][] = [
    ['minutes', { at: start + 60_000 }],
    ['networks', { ip: '192.0.2.2' }],
    ['stages', { stage: 'Data' }],
    ['reasons', { reason: 'UnknownRecipient' }],
    ['connectors', { connector: 'c1' }],
    ['replies', { reply: '451 4.7.0 Later' }],
  ]
  for (const [what, other] of distinctions)
    test(`counts rejections of different ${what} apart`, () => {
      const aggregator = new RejectionAggregator()
      for (let number = 0; number < 2000; number++) aggregator.add(rejection(number % 2 === 0 ? {} : other))
      const counted = aggregator.take().filter((event) => !isDetailed(event))
      assert.equal(counted.length, 2)
    })

  test('keeps the details of another client while one client is rejected endlessly', () => {
    const events = simulate(1000, 60, (number) => (number % 1000 === 999 ? { ip: '198.51.100.7' } : {}))
    const ofOther = events.flat().filter(({ clientIp }) => clientIp === '198.51.100.7')
    assert.equal(ofOther.filter(isDetailed).length, 60)
  })

  test('keeps the connector when the networks are too many', () => {
    const events = simulate(10_000, 10, (number) => ({
      ip: ipOf(number),
      ...(number % 1000 === 999 && { connector: 'c1' }),
    }))
    const ofConnector = events.flat().filter(({ inboundConnector }) => inboundConnector === 'c1')
    assert.equal(sumOf(ofConnector), 100)
  })
})

const attacks: [
  name: string,
  rejectionOf: (number: number) => Partial<Rejection>,
  seconds: number,
  perSecond: number,
][] = [
  ['one address', () => ({}), 60, 11],
  ['100 addresses', (number) => ({ ip: ipOf(number % 100) }), 60, 20],
  ['as many addresses', (number) => ({ ip: ipOf(number) }), 60, 20],
  [
    'as many IPv6 networks',
    (number) => ({ ip: `2001:db8:${(number >> 8).toString(16)}:${(number & 255).toString(16)}::1` }),
    8,
    20,
  ],
  [
    'as many addresses in the name of 5,000 partners',
    (number) => ({ ip: ipOf(number), connector: `c${number % 5000}`, reason: `r${number % 7}` }),
    60,
    21,
  ],
]
for (const [name, rejectionOf, seconds, perSecond] of attacks)
  test(`10,000 rejections per second from ${name} are at most ${perSecond} events per second after a burst, and their counts are exact`, () => {
    const batches = simulate(10_000, seconds, rejectionOf)
    assert.equal(sumOf(batches.flat()), 10_000 * seconds)
    assert.ok(batches.flat().length <= 200 + seconds * perSecond)
    for (const events of batches.slice(5)) assert.ok(events.length <= perSecond, String(events.length))
  })

test('ten rejections per second keep their details for ever', () => {
  assert.ok(
    simulate(10, 600, (number) => ({ ip: ipOf(number) }))
      .flat()
      .every(isDetailed),
  )
})

test('while no event leaves for three days, a bounded number waits, and the counts are exact', () => {
  const aggregator = new RejectionAggregator()
  const seconds = 3 * 86_400
  for (let second = 0; second < seconds; second++)
    for (const ip of [ipOf(second), '192.0.2.1']) aggregator.add(rejection({ at: start + 1000 * second, ip }))
  const events = aggregator.take()
  assert.equal(sumOf(events), 2 * seconds)
  assert.ok(events.length <= 2 * maxWaiting + maxHours)
  assert.equal(events.filter(({ reason }) => reason === variousReasons).length, maxHours)
})

test('for any rejections, at any times, with any pauses, the counts add up to their number', () => {
  const step = fc.record({
    repeat: fc.integer({ min: 1, max: 300 }),
    waitMs: fc.constantFrom(0, 1, 999, 61_000, -5_000),
    ip: fc.constantFrom('192.0.2.1', '::1', 'odd', ''),
    isFromManyNetworks: fc.boolean(),
    stage: fc.constantFrom('Connect', 'Rcpt'),
    reason: fc.string({ maxLength: 3 }),
    connector: fc.option(fc.constantFrom('c1', 'c2'), { nil: undefined }),
    takes: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const aggregator = new RejectionAggregator()
      let [at, added, taken, serial] = [start, 0, 0, 0]
      for (const { repeat, waitMs, ip, isFromManyNetworks, stage, reason, connector, takes } of steps) {
        at += waitMs
        for (let count = 0; count < repeat; count++, added++)
          aggregator.add(
            rejection({
              at,
              ip: isFromManyNetworks ? ipOf(serial++) : ip,
              stage: stage as Rejection['stage'],
              reason,
              ...(connector && { connector }),
            }),
          )
        if (takes) taken += sumOf(aggregator.take())
      }
      assert.equal(taken + sumOf(aggregator.take()), added)
    }),
  )
})
