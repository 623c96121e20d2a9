import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { arcKeyReader } from '../../../functions/authenticate-message/arc-key.ts'

const key = { domain: 'ours.example', selector: 's', privateKey: 'PRIVATE KEY' }

function reader(outcomes: ('key' | 'error')[]) {
  let now = 0
  let reads = 0
  const errors: Error[] = []
  const read = arcKeyReader(
    async () => {
      if (outcomes[reads++] === 'error') throw new Error('away')
      return key
    },
    (error) => errors.push(error),
    () => now,
  )
  return { read, errors, reads: () => reads, wait: (ms: number) => (now += ms) }
}

describe('the key for ARC', () => {
  it('is read once', async () => {
    const { read, reads } = reader(['key'])
    assert.deepEqual(await Promise.all([read(), read()]), [key, key])
    assert.deepEqual([await read(), reads()], [key, 1])
  })

  it('is missing for a minute after a failed reading, which is reported', async () => {
    const { read, reads, errors, wait } = reader(['error', 'key'])
    assert.deepEqual([await read(), await read(), reads(), errors.length], [null, null, 1, 1])
    wait(60_000)
    assert.deepEqual([await read(), reads()], [key, 2])
  })

  it('is missing without the setting', async () => {
    const read = arcKeyReader(null, assert.fail, () => 0)
    assert.equal(await read(), null)
  })
})
