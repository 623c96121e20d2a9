import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { maxPreloadOctets } from '../../../functions/deliver-message/deliver-job.ts'
import { SesSlots } from '../../../functions/deliver-message/ses-slots.ts'

/** Returns how many of ten messages are being sent before the first has ended. */
async function countConcurrent(octets: number): Promise<number> {
  const sesSlots = new SesSlots()
  const first = Promise.withResolvers<void>()
  let startCount = 0
  const all = Array.from({ length: 10 }, () =>
    sesSlots.slotFor(octets).runExclusive(async () => {
      startCount += 1
      await first.promise
      return 'sent'
    }),
  )
  await turn()
  const concurrent = startCount
  first.resolve()
  assert.deepEqual(await Promise.all(all), Array(10).fill('sent'))
  return concurrent
}

describe('in a batch with route Ses', () => {
  it('all small messages are sent at the same time', async () =>
    assert.equal(await countConcurrent(maxPreloadOctets), 10))

  it('three of ten large messages are sent at the same time, and at the end all are sent', async () =>
    assert.equal(await countConcurrent(maxPreloadOctets + 1), 3))

  it('a large message that cannot be read holds no slot', async () => {
    const sesSlots = new SesSlots()
    const fails = async (): Promise<never> => {
      throw new Error('no content')
    }
    for (let time = 0; time < 5; time += 1)
      await assert.rejects(sesSlots.slotFor(maxPreloadOctets + 1).runExclusive(fails), /no content/)
    assert.equal(await sesSlots.slotFor(maxPreloadOctets + 1).runExclusive(async () => 'sent'), 'sent')
  })
})
