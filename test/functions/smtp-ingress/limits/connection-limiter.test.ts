import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { clientNetwork } from '../../../../functions/smtp-ingress/limits/client-network.ts'
import {
  ConnectionLimiter,
  type ConnectionLimits,
} from '../../../../functions/smtp-ingress/limits/connection-limiter.ts'

const addresses: [ip: string, network: string][] = [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::ffff', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
  ['::1', '::/64'],
  ['fe80::1%eth0', 'fe80::/64'],
  ['', ''],
  ['1:2:3', '1:2:3'],
]

for (const [ip, network] of addresses)
  test(`"${ip}" counts as "${network}"`, () => assert.equal(clientNetwork(ip), network))

/** A connection limiter with a clock that the test sets. */
function counts(limits: Partial<ConnectionLimits> = {}, cached?: number) {
  const clock = { now: 0 }
  const all: ConnectionLimits = {
    maxSessions: 1000,
    maxSessionsPerAddress: 1000,
    maxNewSessionsPerMinute: 0,
    ...limits,
  }
  return { clock, counts: new ConnectionLimiter(all, () => clock.now, cached) }
}

const admitReply = (decision: ConnectionLimiter, ip: string) => {
  const refused = decision.admit(ip)
  return refused && `${refused.reply.code} ${refused.reply.enhanced} ${refused.reason}`
}

const [addressRefusal, totalRefusal, rateRefusal] = [
  '421 4.7.0 TooManyConnections',
  '421 4.3.2 TooManySessions',
  '421 4.7.0 ConnectionRate',
]

describe('concurrent sessions', () => {
  test('of an address have a maximum; other addresses have their own, and an ended session makes room', () => {
    const { counts: decision } = counts({ maxSessionsPerAddress: 2 })
    assert.equal(admitReply(decision, '192.0.2.1'), null)
    assert.equal(admitReply(decision, '::ffff:192.0.2.1'), null)
    assert.equal(admitReply(decision, '192.0.2.1'), addressRefusal)
    assert.equal(admitReply(decision, '192.0.2.2'), null)
    decision.release('192.0.2.1')
    assert.equal(admitReply(decision, '192.0.2.1'), null)
    assert.equal(decision.sessions, 3)
  })

  test('of an IPv6 network are limited together', () => {
    const { counts: decision } = counts({ maxSessionsPerAddress: 1 })
    assert.equal(admitReply(decision, '2001:db8::1'), null)
    assert.equal(admitReply(decision, '2001:db8::2:2'), addressRefusal)
    assert.equal(admitReply(decision, '2001:db8:0:1::1'), null)
  })

  test('of all addresses have a maximum; an address over its own gets that reason', () => {
    const { counts: decision } = counts({ maxSessions: 2, maxSessionsPerAddress: 2 })
    assert.equal(admitReply(decision, '192.0.2.1'), null)
    assert.equal(admitReply(decision, '192.0.2.1'), null)
    assert.equal(admitReply(decision, '192.0.2.1'), addressRefusal)
    assert.equal(admitReply(decision, '192.0.2.2'), totalRefusal)
    decision.release('192.0.2.1')
    assert.equal(admitReply(decision, '192.0.2.2'), null)
  })

  test('are not released when they were never admitted', () => {
    const { counts: decision } = counts({ maxSessions: 1 })
    assert.equal(admitReply(decision, '192.0.2.1'), null)
    decision.release('192.0.2.9')
    assert.equal(admitReply(decision, '192.0.2.2'), totalRefusal)
    decision.release('192.0.2.1')
    decision.release('192.0.2.1')
    assert.equal(admitReply(decision, '192.0.2.2'), null)
    assert.equal(admitReply(decision, '192.0.2.3'), totalRefusal)
  })
})

describe('new sessions in a minute', () => {
  test('of an address are limited until its minute is over', () => {
    const { counts: decision, clock } = counts({ maxNewSessionsPerMinute: 3 })
    for (let session = 0; session < 3; session++) {
      assert.equal(admitReply(decision, '192.0.2.1'), null)
      decision.release('192.0.2.1')
    }
    clock.now = 59_999
    assert.equal(admitReply(decision, '192.0.2.1'), rateRefusal)
    assert.equal(admitReply(decision, '192.0.2.2'), null)
    clock.now = 60_000
    assert.equal(admitReply(decision, '192.0.2.1'), null)
  })

  test('are counted again in the next minute, even if an earlier session stays open', () => {
    const { counts: decision, clock } = counts({ maxNewSessionsPerMinute: 1 })
    assert.equal(admitReply(decision, '192.0.2.1'), null)
    assert.equal(admitReply(decision, '192.0.2.1'), rateRefusal)
    clock.now = 60_000
    assert.equal(admitReply(decision, '192.0.2.1'), null)
    assert.equal(admitReply(decision, '192.0.2.1'), rateRefusal)
  })

  test('cause no entry for closed sessions when there is no limit', () => {
    const { counts: decision } = counts()
    for (let session = 0; session < 5000; session++) {
      assert.equal(decision.admit('192.0.2.1'), null)
      decision.release('192.0.2.1')
    }
    assert.equal(decision.addresses, 0)
  })

  test('are forgotten one to two minutes after the last session', () => {
    const { counts: decision, clock } = counts({ maxNewSessionsPerMinute: 10 })
    decision.admit('192.0.2.1')
    decision.release('192.0.2.1')
    const cached = [59_999, 60_000, 119_999, 120_000].map((now) => {
      clock.now = now
      decision.release('192.0.2.9')
      decision.admit('192.0.2.9')
      return decision.addresses
    })
    assert.deepEqual(cached, [2, 2, 2, 1])
  })
})

describe('a flood of addresses', () => {
  const flood = (decision: ConnectionLimiter, size: number) => {
    for (let client = 0; client < size; client++) {
      const ip = `10.${client >> 16}.${(client >> 8) & 255}.${client & 255}`
      assert.equal(decision.admit(ip), null)
      decision.release(ip)
    }
  }

  test('is kept up to a maximum, and the oldest addresses are forgotten first', () => {
    const { counts: decision } = counts({ maxNewSessionsPerMinute: 1 }, 100)
    flood(decision, 1000)
    assert.ok(decision.addresses <= 100)
    assert.equal(admitReply(decision, '10.0.3.231'), rateRefusal)
    assert.equal(admitReply(decision, '10.0.0.1'), null)
  })

  test('does not displace an address with a session', () => {
    const { counts: decision } = counts({ maxNewSessionsPerMinute: 1 }, 100)
    assert.equal(admitReply(decision, '192.0.2.1'), null)
    flood(decision, 1000)
    assert.equal(admitReply(decision, '192.0.2.1'), rateRefusal)
  })

  test('of a million takes bounded memory', () => {
    const { counts: decision } = counts({ maxNewSessionsPerMinute: 1 })
    flood(decision, 1_000_000)
    assert.ok(decision.addresses <= 65_536)
  })
})

test('for any sequence, the counts equal the open sessions', () => {
  const ips = ['192.0.2.1', '::ffff:192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2', '2001:db8:1::1']
  const limits: ConnectionLimits = { maxSessions: 5, maxSessionsPerAddress: 3, maxNewSessionsPerMinute: 6 }
  const step = fc.record({ ip: fc.constantFrom(...ips), leaves: fc.boolean(), waits: fc.nat(20_000) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { counts: decision, clock } = counts(limits, 2)
      const open: string[] = []
      for (const { ip, leaves, waits } of steps) {
        clock.now += waits
        const index = open.findIndex((other) => clientNetwork(other) === clientNetwork(ip))
        if (leaves && index >= 0) decision.release(open.splice(index, 1)[0] ?? '')
        else if (!leaves) {
          const ofThis = open.filter((other) => clientNetwork(other) === clientNetwork(ip)).length
          const refused = decision.admit(ip)
          if (refused === null) open.push(ip)
          assert.equal(refused?.reason === 'TooManyConnections', ofThis >= limits.maxSessionsPerAddress)
          if (refused?.reason === 'TooManySessions') assert.equal(open.length, limits.maxSessions)
          assert.ok(open.length <= limits.maxSessions)
        }
        assert.equal(decision.sessions, open.length)
        assert.ok(decision.addresses <= new Set(open.map(clientNetwork)).size + 2)
      }
    }),
  )
})
