import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HandshakeCosts } from '../../../../functions/smtp-ingress/limits/handshake-costs.ts'

const [client, neighbour, other] = ['192.0.2.1', '192.0.2.2', '198.51.100.1']
const minuteMs = 60_000

function costs() {
  const clock = { now: 1_000_000 }
  return { clock, it: new HandshakeCosts(() => clock.now) }
}

const hourMs = 60 * minuteMs
const handshake = (limits: HandshakeCosts, address: string, ms = 3) => limits.addTime(address, ms, ms)

const twice = (limits: HandshakeCosts, address: string) => {
  handshake(limits, address, 41)
  handshake(limits, address, 41)
}

describe('a client is asked for a certificate', () => {
  it('at first', () => assert.ok(!costs().it.isExpensive(client)))

  for (const [why, cause] of [
    ['took more than 40 ms, the second within an hour', (limits: HandshakeCosts) => twice(limits, client)],
    ['had too many octets', (limits: HandshakeCosts) => limits.recordTooLarge(client)],
  ] as const)
    it(`not for a minute after a handshake that ${why}, and its other handshakes end`, () => {
      const { clock, it: limits } = costs()
      cause(limits)
      assert.ok(limits.isExpensive(client))
      assert.ok(!limits.isExpensive(neighbour))
      clock.now += minuteMs
      assert.ok(!limits.isExpensive(client))
    })

  it('after one handshake that took longer: the first of a process is slow', () => {
    const { clock, it: limits } = costs()
    // One handshake, in parts.
    for (const [total, added] of [
      [30, 30],
      [90, 60],
      [95, 5],
    ] as const)
      limits.addTime(client, total, added)
    assert.ok(!limits.isExpensive(client))
    clock.now += hourMs
    handshake(limits, client, 90)
    assert.ok(!limits.isExpensive(client))
  })

  it('not for twice as long after each expensive handshake, up to an hour, and for a minute again after a good hour', () => {
    const { clock, it: limits } = costs()
    const offend = () => {
      let waited = 0
      // Several at the same time are one offence.
      for (let times = 0; times < 100; times++) handshake(limits, client, 100)
      for (; limits.isExpensive(client); waited++) clock.now += minuteMs
      return waited
    }
    assert.deepEqual(Array.from({ length: 8 }, offend), [1, 2, 4, 8, 16, 32, 60, 60])
    clock.now += hourMs + minuteMs
    handshake(limits, client)
    assert.equal(offend(), 1)
  })

  it('not after two seconds of processor time in a minute', () => {
    const { it: limits } = costs()
    for (let number = 0; number < 101; number++) handshake(limits, client, 20)
    assert.ok(limits.isExpensive(client))
    assert.ok(!limits.isExpensive(neighbour))
  })

  it('not if it is new and its /24 or /48 used six seconds in a minute; known clients there are', () => {
    for (const [address, known, unknown, far] of [
      [(host: number) => `192.0.2.${host}`, '192.0.2.200', '192.0.2.201', other],
      [
        (host: number) => `2001:db8:1:${host}::1`,
        '2001:db8:1:fffe::1',
        '2001:db8:1:ffff::1',
        '2001:db8:2::1',
      ],
    ] as const) {
      const { clock, it: limits } = costs()
      handshake(limits, known)
      for (let host = 1; host <= 61; host++)
        for (let number = 0; number < 5; number++) handshake(limits, address(host), 20)
      assert.deepEqual(
        [known, unknown, far].map((client) => !limits.isExpensive(client)),
        [true, false, true],
      )
      clock.now += minuteMs
      assert.ok(!limits.isExpensive(unknown))
    }
  })
})

describe('a certificate is requested', () => {
  const name = 'mail.client.example'

  it('at first, and not for an hour after a handshake without one, by address and name', () => {
    const { clock, it: limits } = costs()
    assert.ok(limits.shouldRequest(client, name))
    limits.recordEnd(client, name, false)
    assert.ok(!limits.shouldRequest(client, name.toUpperCase()))
    assert.ok(limits.shouldRequest(client, 'other.client.example'))
    assert.ok(limits.shouldRequest(neighbour, name))
    clock.now += hourMs
    assert.ok(limits.shouldRequest(client, name))
  })

  it('in every handshake after one with a certificate', () => {
    const { it: limits } = costs()
    limits.recordEnd(client, name, false)
    limits.recordEnd(client, name, true)
    assert.ok(limits.shouldRequest(client, name))
  })

  it('for an hour after a decision depended on it, whatever name the client gives', () => {
    const { clock, it: limits } = costs()
    limits.recordEnd(client, name, false)
    limits.requestNext(client)
    limits.recordEnd(client, name, false)
    assert.ok(limits.shouldRequest(client, name))
    clock.now += hourMs - 1
    limits.recordEnd(client, name, false)
    clock.now += 1
    assert.ok(!limits.shouldRequest(client, name))
  })

  it('from no client that was expensive', () => {
    const { it: limits } = costs()
    limits.requestNext(client)
    limits.recordTooLarge(client)
    assert.ok(!limits.shouldRequest(client, name))
  })
})
