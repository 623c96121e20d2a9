import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CircuitBreaker } from '../../../functions/smtp-ingress/circuit-breaker.ts'

/** A breaker whose changes of state are recorded. Probes succeed once `works` is set. */
function observedBreaker() {
  const state = { works: false, probes: 0 }
  const changes: boolean[] = []
  const breaker = new CircuitBreaker({
    failureThreshold: 3,
    initialDelayMs: 100,
    maxDelayMs: 300,
    probe: async () => {
      state.probes++
      if (!state.works) throw new Error('away')
    },
    onChange: (isOpen) => changes.push(isOpen),
  })
  return { breaker, state, changes }
}

test('the circuit breaker opens at the third consecutive failure; a success resets the count', () => {
  const { breaker, changes } = observedBreaker()
  breaker.recordFailures()
  breaker.recordFailures()
  breaker.recordSuccess()
  breaker.recordFailures()
  breaker.recordFailures()
  assert.equal(breaker.isOpen, false)
  breaker.recordFailures()
  assert.equal(breaker.isOpen, true)
  assert.deepEqual(changes, [true])
  breaker.stop()
})

test('the circuit breaker opens when one call records three failures', () => {
  const { breaker } = observedBreaker()
  breaker.recordFailures(2)
  assert.equal(breaker.isOpen, false)
  breaker.recordSuccess()
  breaker.recordFailures(3)
  assert.equal(breaker.isOpen, true)
  breaker.stop()
})

test('the open circuit breaker probes with growing pauses, and closes when a probe succeeds', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { breaker, state } = observedBreaker()
  for (let failure = 0; failure < 3; failure++) breaker.recordFailures()
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
  assert.equal(await probesAfter(300), 3, 'the pause does not exceed its maximum')
  assert.equal(breaker.isOpen, true)
  state.works = true
  assert.equal(await probesAfter(300), 4)
  assert.equal(breaker.isOpen, false)
})

test('the circuit breaker opens again at one failure after a successful probe, and not at one failure after a success', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { breaker, state, changes } = observedBreaker()
  state.works = true
  for (let failure = 0; failure < 3; failure++) breaker.recordFailures()
  context.mock.timers.tick(100)
  await Promise.resolve()
  breaker.recordFailures()
  assert.equal(breaker.isOpen, true)
  breaker.recordSuccess()
  breaker.recordFailures()
  assert.equal(breaker.isOpen, false)
  assert.deepEqual(changes, [true, false, true, false])
})

test('a success resets the pause before a probe of the circuit breaker; a stopped circuit breaker sends no probes', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { breaker, state } = observedBreaker()
  for (let failure = 0; failure < 3; failure++) breaker.recordFailures()
  for (const pause of [100, 200, 300]) {
    context.mock.timers.tick(pause)
    await new Promise(setImmediate)
  }
  assert.equal(state.probes, 3)
  breaker.recordSuccess()
  for (let failure = 0; failure < 3; failure++) breaker.recordFailures()
  context.mock.timers.tick(100)
  assert.equal(state.probes, 4)
  await new Promise(setImmediate)
  breaker.stop()
  context.mock.timers.tick(1000)
  assert.equal(state.probes, 4)
})
