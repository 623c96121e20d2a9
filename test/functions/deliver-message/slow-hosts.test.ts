import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Batch } from '../../../functions/deliver-message/batch.ts'
import { maxWaits, replyWhenGivenUp } from '../../../functions/deliver-message/return-to-queue.ts'
import { needsSlowHostSlot, slowHostsDestination } from '../../../functions/deliver-message/slow-hosts.ts'
import type { DeliveryJob } from '../../../shared/contract/jobs.ts'
import type { Attempt } from '../../../shared/contract/message.ts'
import { timedOutReply } from '../../../shared/net/smtp-faults.ts'
import { timedOutStatus } from '../../../shared/policy/slow-failure.ts'
import { attempt, recipient } from '../../support/fixtures.ts'

const after = (...attempts: (Attempt | null)[]) => ({
  recipients: attempts.map((lastAttempt) => recipient({ address: 'a@evil.example', lastAttempt })),
})
const failed = (durationMs: number, enhanced: string) =>
  attempt({ outcome: 'TemporaryFailure', durationMs, reply: { code: 451, enhanced, text: 'later' } })

describe('a delivery job', () => {
  const rows: [when: string, job: Pick<DeliveryJob, 'recipients'>, slow: boolean][] = [
    ['before its first attempt', after(null), false],
    ['when the last attempt failed within half a minute', after(failed(29_999, '4.2.1')), false],
    ['when the last attempt took half a minute, with any reply', after(failed(30_000, '4.2.1')), true],
    [
      'when the last attempt has the status of a timeout, whatever its duration',
      after(failed(0, timedOutStatus)),
      true,
    ],
    ['when the last attempt for one of its recipients was slow', after(null, failed(270_000, '4.4.2')), true],
  ]
  for (const [when, job, slow] of rows)
    it(`${slow ? 'needs' : 'does not need'} a slot of the slow hosts ${when}`, () =>
      assert.equal(needsSlowHostSlot(job), slow))

  it('of another priority has workers of its own, and needs no slot of the slow hosts', () =>
    assert.equal(needsSlowHostSlot({ ...after(failed(60_000, '4.2.1')), priority: 'Low' }), false))

  it('that timed out gets the status by which isSlowFailure recognises a timeout', () =>
    assert.equal(timedOutReply.enhanced, timedOutStatus))

  it('that only waited long for a slot needs none for slow hosts, because each wait would cause the next', () => {
    const job = { destination: 'evil.example', waits: maxWaits } as DeliveryJob
    const finalReply = replyWhenGivenUp(job, 'NoSlotForSlowHost')
    assert.equal(finalReply?.enhanced, '4.4.5')
    assert.equal(needsSlowHostSlot(after(failed(0, finalReply?.enhanced ?? ''))), false)
    assert.equal(replyWhenGivenUp({ ...job, waits: maxWaits - 1 }, 'NoSlotForSlowHost'), null)
  })
})

/** Simulates the table of slots, with two slots per destination. */
function table() {
  const usedSlots = new Map<string, number>()
  const add = (destination: string, change: number) =>
    usedSlots.set(destination, (usedSlots.get(destination) ?? 0) + change)
  return {
    usedSlots,
    slots: {
      async acquire(destination: string) {
        if ((usedSlots.get(destination) ?? 0) === 2) return null
        add(destination, 1)
        return { count: 1, report() {}, reduceTo() {}, release: async () => void add(destination, -1) }
      },
    },
  }
}

const batchAt = (slots: ReturnType<typeof table>['slots']) =>
  new Batch({ slots, limitMs: 60_000, minRemainingMs: 0, onError: assert.fail })

describe('deliveries to slow hosts', () => {
  it('together have as many slots as one destination, and block no other delivery', async () => {
    const { usedSlots, slots } = table()
    const hang = Promise.withResolvers<void>()
    const batches = Array.from({ length: 5 }, () => batchAt(slots))
    const results = batches.map(async (batch, number) => {
      const entry = batch.enqueue(`n${number}.evil.example`, true)
      const result = await entry.runWithSlot(() => hang.promise)
      entry.leave()
      return result
    })
    assert.deepEqual(await Promise.all(results.slice(2)), Array(3).fill('NoSlotForSlowHost'))
    assert.equal(usedSlots.get(slowHostsDestination), 2)
    const fastBatch = batchAt(slots)
    assert.equal(
      await fastBatch.enqueue('n9.evil.example').runWithSlot(async () => 'first attempt'),
      'first attempt',
    )
    hang.resolve()
    await Promise.all(results)
    await Promise.all(batches.map((batch) => batch.end()))
    assert.equal(usedSlots.get(slowHostsDestination), 0)
  })

  it('release their slots when they fail', async () => {
    const { usedSlots, slots } = table()
    const batch = batchAt(slots)
    const entry = batch.enqueue('evil.example', true)
    await assert.rejects(
      entry.runWithSlot(() => Promise.reject(new Error('lost'))),
      /lost/,
    )
    entry.leave()
    await batch.end()
    assert.deepEqual([...usedSlots.values()], [0, 0])
  })
})
