import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { contentMemory } from '../../../functions/deliver-message/content-memory.ts'
import { maxPreloadOctets } from '../../../functions/deliver-message/deliver-job.ts'
import type { Route } from '../../../shared/contract/jobs.ts'
import { message } from '../../support/fixtures.ts'

const mebibyte = 1024 * 1024
const mx: Route = { kind: 'Mx', domain: 'partner.example' }
const ses: Route = { kind: 'Ses' }

const job = (route: Route, length: number) => ({
  route,
  message: message({ content: { bucket: 'content', key: 'k', offset: 0, length, sha256: '0'.repeat(64) } }),
})

/** Returns how many of fifty messages are being sent before the first has ended. */
async function countConcurrent(route: Route, octets: number): Promise<number> {
  const run = contentMemory()
  const first = Promise.withResolvers<void>()
  let startCount = 0
  const all = Array.from({ length: 50 }, () =>
    run(job(route, octets), async () => {
      startCount += 1
      await first.promise
      return 'sent'
    }),
  )
  for (let turns = 0; turns < 5; turns += 1) await turn()
  const concurrent = startCount
  first.resolve()
  assert.deepEqual(await Promise.all(all), Array(50).fill('sent'))
  return concurrent
}

describe('of fifty messages of one batch', () => {
  const rows: [what: string, route: Route, octets: number, concurrent: number][] = [
    ['over SMTP, all small ones are sent at the same time: they were read before', mx, maxPreloadOctets, 50],
    ['over SMTP, one of 35 MiB', mx, 35 * mebibyte, 1],
    ['over SMTP, eight of 5 MiB', mx, 5 * mebibyte, 8],
    ['through SES, thirty-two of 1 MiB', ses, mebibyte, 32],
    ['through SES, one of 35 MiB', ses, 35 * mebibyte, 1],
    ['above the whole memory, one', mx, 500 * mebibyte, 1],
  ]
  for (const [what, route, octets, concurrent] of rows)
    it(`${what} at a time`, async () => assert.equal(await countConcurrent(route, octets), concurrent))

  it('one that cannot be read holds no memory', async () => {
    const run = contentMemory()
    const large = job(ses, 40 * mebibyte)
    const fails = async (): Promise<never> => {
      throw new Error('no content')
    }
    for (let time = 0; time < 5; time += 1) await assert.rejects(run(large, fails), /no content/)
    assert.equal(await run(large, async () => 'sent'), 'sent')
  })

  it('begin in their order: a small one does not pass a large one that waits', async () => {
    const run = contentMemory()
    const order: string[] = []
    const work = (name: string) => async () => {
      order.push(name)
      await turn()
    }
    await Promise.all([
      run(job(ses, 20 * mebibyte), work('first')),
      run(job(ses, 30 * mebibyte), work('second')),
      run(job(ses, mebibyte), work('third')),
    ])
    assert.deepEqual(order, ['first', 'second', 'third'])
  })
})
