import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { maxPreloadOctets } from '../../../functions/deliver-message/deliver-job.ts'
import { SesSlots } from '../../../functions/deliver-message/ses-slots.ts'

/** Returns how many of ten messages are being sent before the first has ended. */
async function begunAtOnce(octets: number): Promise<number> {
  const places = new SesSlots()
  const first = Promise.withResolvers<void>()
  let begun = 0
  const all = Array.from({ length: 10 }, () =>
    places.slotFor(octets).runExclusive(async () => {
      begun += 1
      await first.promise
      return 'sent'
    }),
  )
  await turn()
  const atOnce = begun
  first.resolve()
  assert.deepEqual(await Promise.all(all), Array(10).fill('sent'))
  return atOnce
}

describe('in a batch for SES', () => {
  it('small messages are sent all at once', async () => assert.equal(await begunAtOnce(maxPreloadOctets), 10))

  it('large messages are sent three at a time, and all in the end', async () =>
    assert.equal(await begunAtOnce(maxPreloadOctets + 1), 3))

  it('a large message that cannot be read holds no slot', async () => {
    const places = new SesSlots()
    const fails = async (): Promise<never> => {
      throw new Error('no content')
    }
    for (let time = 0; time < 5; time += 1)
      await assert.rejects(places.slotFor(maxPreloadOctets + 1).runExclusive(fails), /no content/)
    assert.equal(await places.slotFor(maxPreloadOctets + 1).runExclusive(async () => 'sent'), 'sent')
  })
})
