import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breaker } from '../../../functions/smtp-ingress/breaker.ts'

/** Every change of state, and probes that succeed when `works` is set. */
function observed() {
  const state = { works: false, probes: 0 }
  const changes: boolean[] = []
  const breaker = new Breaker({
    threshold: 3,
    pause: 100,
    slowest: 300,
    probe: async () => {
      state.probes++
      if (!state.works) throw new Error('away')
    },
    onChange: (isOpen) => changes.push(isOpen),
  })
  return { breaker, state, changes }
}

test('it opens at the third failure in a row, and a success in between begins anew', () => {
  const { breaker, changes } = observed()
  breaker.failed()
  breaker.failed()
  breaker.succeeded()
  breaker.failed()
  breaker.failed()
  assert.equal(breaker.isOpen, false)
  breaker.failed()
  assert.equal(breaker.isOpen, true)
  assert.deepEqual(changes, [true])
  breaker.stop()
})

test('it opens when a single write leaves as many messages unstored', () => {
  const { breaker } = observed()
  breaker.failed(2)
  assert.equal(breaker.isOpen, false)
  breaker.succeeded()
  breaker.failed(3)
  assert.equal(breaker.isOpen, true)
  breaker.stop()
})

test('it probes with growing pauses until storage answers, and then lets clients in', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { breaker, state } = observed()
  for (let failure = 0; failure < 3; failure++) breaker.failed()
  const probesAfter = async (ms: number) => {
    context.mock.timers.tick(ms)
    await Promise.resolve()
    await Promise.resolve()
    return state.probes
  }
  assert.equal(await probesAfter(99), 0)
  assert.equal(await probesAfter(1), 1)
  assert.equal(await probesAfter(199), 1)
  assert.equal(await probesAfter(1), 2)
  assert.equal(await probesAfter(300), 3, 'never slower than the slowest')
  assert.equal(breaker.isOpen, true)
  state.works = true
  assert.equal(await probesAfter(300), 4)
  assert.equal(breaker.isOpen, false)
})

test('after a probe one failure is enough to turn clients away again, one success to trust storage', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { breaker, state, changes } = observed()
  state.works = true
  for (let failure = 0; failure < 3; failure++) breaker.failed()
  context.mock.timers.tick(100)
  await Promise.resolve()
  breaker.failed()
  assert.equal(breaker.isOpen, true)
  breaker.succeeded()
  breaker.failed()
  assert.equal(breaker.isOpen, false)
  assert.deepEqual(changes, [true, false, true, false])
})

test('a success makes the next episode begin with the shortest pause, and a breaker that is stopped probes no more', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { breaker, state } = observed()
  for (let failure = 0; failure < 3; failure++) breaker.failed()
  for (const pause of [100, 200, 300]) {
    context.mock.timers.tick(pause)
    await new Promise(setImmediate)
  }
  assert.equal(state.probes, 3)
  breaker.succeeded()
  for (let failure = 0; failure < 3; failure++) breaker.failed()
  context.mock.timers.tick(100)
  assert.equal(state.probes, 4)
  await new Promise(setImmediate)
  breaker.stop()
  context.mock.timers.tick(1000)
  assert.equal(state.probes, 4)
})
