import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { Pace, Pacemaker } from '../../../functions/smtp-ingress/pace.ts'
import { Refusal } from '../../../functions/smtp-ingress/replies.ts'

const kibibyte = 1024
const everyTenSeconds = (octets: number) => Array.from({ length: 60 }, () => octets)

/** @param received octets in each ten seconds @returns seconds after which the message is ended, or null */
function endedAfter(received: readonly number[], pace = new Pace()): number | null {
  const check = received.findIndex((octets) => {
    pace.received(octets)
    return pace.isTooSlow()
  })
  return check < 0 ? null : (check + 1) * 10
}

const rows: [what: string, received: number[], seconds: number | null][] = [
  ['a message still coming after ten minutes', everyTenSeconds(kibibyte * kibibyte), 600],
  ['a message that holds little and drips', everyTenSeconds(1), 600],
  ['a message that holds much, from which nothing more comes', [100 * kibibyte, ...everyTenSeconds(0)], 120],
  ['a message that holds much and drips', [1024 * kibibyte, ...everyTenSeconds(500)], 120],
  ['the slowest that is allowed', everyTenSeconds(10 * kibibyte).slice(0, 59), null],
  ['slower than that, once much is held', everyTenSeconds(10 * kibibyte - 1), 120],
  [
    'a pause of half a minute',
    [9, 9, 9, 0, 0, 0, 9, 9, 9, 0, 0, 0].map((tens) => tens * 10 * kibibyte),
    null,
  ],
]

for (const [what, received, seconds] of rows)
  test(`${what} is ${seconds === null ? 'waited for' : `ended after ${seconds} s`}`, () =>
    assert.equal(endedAfter(received), seconds))

test('while storage holds the client back, the client is not at fault', async () => {
  const pace = new Pace()
  const { promise, resolve } = Promise.withResolvers<void>()
  const waiting = pace.whileWaiting(promise)
  assert.equal(endedAfter([1024 * kibibyte, ...everyTenSeconds(0).slice(0, 30)], pace), null)
  resolve()
  await waiting
  // The minute in which it ended is excused as well.
  assert.equal(endedAfter(everyTenSeconds(0).slice(0, 20), pace), 110)
})

test('a message that is too slow ends in 421 4.4.2, one that is no longer watched does not', (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] })
  const pacemaker = new Pacemaker()
  const [slow, done] = [new PassThrough(), new PassThrough()]
  slow.on('error', () => {})
  for (const stream of [slow, done]) pacemaker.watch(stream)
  pacemaker.unwatch(done)
  context.mock.timers.tick(590_000)
  assert.equal(slow.destroyed, false)
  context.mock.timers.tick(10_000)
  assert.ok(slow.errored instanceof Refusal)
  assert.equal(slow.errored.responseCode, 421)
  assert.match(slow.errored.message, /^4\.4\.2 /)
  assert.equal(done.destroyed, false)
  pacemaker.stop()
})
