import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CredentialsCache, type ProvidedCredentials } from '../../../shared/aws/credentials-cache.ts'

const minute = 60_000

/** A cache with a clock and a provider whose credentials are valid for `lifetime` each; with 0 they do not expire. */
function setup({ lifetime = 10 * minute } = {}) {
  const state = { now: 0, asked: 0, fails: false }
  const provide = async (): Promise<ProvidedCredentials> => {
    const serial = ++state.asked
    if (state.fails) throw new Error('no credentials')
    return {
      accessKeyId: `id${serial}`,
      secretAccessKey: 's',
      ...(lifetime > 0 && { expiration: new Date(state.now + lifetime) }),
    }
  }
  return { state, identity: new CredentialsCache(provide, () => state.now) }
}

const idOf = async (identity: CredentialsCache) => (await identity.current()).accessKeyId

test('only the first requests to the cache wait for credentials', async () => {
  const { state, identity } = setup()
  assert.deepEqual(await Promise.all([1, 2, 3].map(() => idOf(identity))), ['id1', 'id1', 'id1'])
  state.now = minute - 1
  assert.ok(!(identity.current() instanceof Promise))
  assert.equal(state.asked, 1)
})

test('after a minute the cache returns the old credentials without waiting, and gets new ones for later requests', async () => {
  const { state, identity } = setup()
  await identity.current()
  state.now = minute
  const credentials = identity.current()
  assert.ok(!(credentials instanceof Promise))
  assert.equal(credentials.accessKeyId, 'id1')
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(await idOf(identity), 'id2')
})

test('while the provider fails, the cache returns its credentials until they expire, and calls the provider at most once a second', async () => {
  const { state, identity } = setup()
  await identity.current()
  state.fails = true
  for (const [now, asked] of [
    [minute, 2],
    [minute + 999, 2],
    [minute + 1000, 3],
    [9 * minute, 4],
  ] as const) {
    state.now = now
    assert.equal(await idOf(identity), 'id1')
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(state.asked, asked)
  }
  state.now = 10 * minute
  await assert.rejects(async () => identity.current(), /no credentials/)
  state.fails = false
  assert.equal(await idOf(identity), 'id6')
})

test('the cache also renews credentials that do not expire', async () => {
  const { state, identity } = setup({ lifetime: 0 })
  await identity.current()
  state.now = 60 * minute
  assert.equal(await idOf(identity), 'id1')
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(await idOf(identity), 'id2')
})
