import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  HandshakeCosts,
  maxHandshakeOctets,
} from '../../../../functions/smtp-ingress/limits/handshake-costs.ts'

const [client, neighbour, other] = ['192.0.2.1', '192.0.2.2', '198.51.100.1']
const minuteMs = 60_000

function costs() {
  const clock = { now: 1_000_000 }
  return { clock, it: new HandshakeCosts(() => clock.now) }
}

describe('the handshakes of a client', () => {
  it('are measured at first', () => assert.equal(costs().it.modeFor(client), 'Measured'))

  it('are not measured for an hour after a cheap one', () => {
    const { clock, it: limits } = costs()
    limits.record(client, 3_000, 3)
    assert.equal(limits.modeFor(client), 'Direct')
    assert.equal(limits.modeFor(neighbour), 'Measured')
    clock.now += 60 * minuteMs
    assert.equal(limits.modeFor(client), 'Measured')
  })

  for (const [why, octets, ms] of [
    ['took more than 25 ms', 3_000, 26],
    ['had too many octets', maxHandshakeOctets + 1, 3],
    ['had too many octets without being measured', maxHandshakeOctets + 1, null],
  ] as const)
    it(`are without a request for a certificate for a minute after one that ${why}`, () => {
      const { clock, it: limits } = costs()
      limits.record(client, 3_000, 3)
      limits.record(client, octets, ms)
      assert.equal(limits.modeFor(client), 'WithoutRequest')
      assert.equal(limits.modeFor(neighbour), 'Measured')
      clock.now += minuteMs
      assert.equal(limits.modeFor(client), 'Measured')
    })

  it('are without a request for twice as long after each expensive one, up to an hour', () => {
    const { clock, it: limits } = costs()
    const minutes: number[] = []
    for (let times = 0; times < 8; times++) {
      limits.record(client, 3_000, 100)
      let waited = 0
      for (; limits.modeFor(client) === 'WithoutRequest'; waited++) clock.now += minuteMs
      minutes.push(waited)
    }
    assert.deepEqual(minutes, [1, 2, 4, 8, 16, 32, 60, 60])
  })

  it('are without a request after two seconds of processor time in a minute, for an address', () => {
    const { it: limits } = costs()
    for (let number = 0; number < 101; number++) limits.record(client, 3_000, 20)
    assert.equal(limits.modeFor(client), 'WithoutRequest')
    assert.equal(limits.modeFor(neighbour), 'Measured')
  })

  it('are without a request after six seconds of processor time in a minute, for a /24 or a /48', () => {
    for (const [address, near, far] of [
      [(host: number) => `192.0.2.${host}`, neighbour, other],
      [(host: number) => `2001:db8:1:${host}::1`, '2001:db8:1:ffff::1', '2001:db8:2::1'],
    ] as const) {
      const { it: limits } = costs()
      for (let host = 1; host <= 61; host++)
        for (let number = 0; number < 5; number++) limits.record(address(host), 3_000, 20)
      assert.equal(limits.modeFor(near), 'WithoutRequest')
      assert.equal(limits.modeFor(far), 'Measured')
    }
  })
})
