/** Under an attack, the events stay below a rate, and the rollups have the true number of refused sessions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attacks, maxBurst, maxEventsPerSecond, simulateAttack } from './attack.ts'

const seconds = 20

for (const attack of attacks)
  test(`10,000 refused sessions per second from ${attack.name} are counted exactly by few events`, async () => {
    const { refused, counted, events, maxPerSecond } = await simulateAttack(attack, 10_000, seconds)
    assert.equal(refused, 10_000 * seconds)
    assert.equal(counted, refused)
    assert.ok(maxPerSecond <= maxEventsPerSecond, `${maxPerSecond} events in a second`)
    assert.ok(events <= maxBurst + seconds * maxEventsPerSecond, `${events} events`)
  })
