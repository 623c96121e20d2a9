import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  ConnectionLimiter,
  type ConnectionLimits,
} from '../../../../functions/smtp-ingress/limits/connection-limiter.ts'
import { clientNetwork } from '../../../../shared/limits/client-network.ts'

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
  test(`limits for the address "${ip}" apply to "${network}"`, () => assert.equal(clientNetwork(ip), network))

/** A connection limiter with a clock that the test sets. */
function limiterWith(limits: Partial<ConnectionLimits> = {}, idleAddressLimit?: number) {
  const clock = { now: 0 }
  const allLimits: ConnectionLimits = {
    maxSessions: 1000,
    maxSessionsPerAddress: 1000,
    maxNewSessionsPerMinute: 0,
    ...limits,
  }
  return { clock, limiter: new ConnectionLimiter(allLimits, () => clock.now, idleAddressLimit) }
}

const admitReply = (limiter: ConnectionLimiter, ip: string) => {
  const refusal = limiter.admit(ip)
  return refusal && `${refusal.reply.code} ${refusal.reply.enhanced} ${refusal.reason}`
}

const [addressRefusal, totalRefusal, rateRefusal] = [
  '421 4.7.0 TooManyConnections',
  '421 4.3.2 TooManySessions',
  '421 4.7.0 ConnectionRate',
]

describe('the connection limiter', () => {
  test('refuses a session of an address beyond its maximum, until a session of the address ends', () => {
    const { limiter } = limiterWith({ maxSessionsPerAddress: 2 })
    assert.equal(admitReply(limiter, '192.0.2.1'), null)
    assert.equal(admitReply(limiter, '::ffff:192.0.2.1'), null)
    assert.equal(admitReply(limiter, '192.0.2.1'), addressRefusal)
    assert.equal(admitReply(limiter, '192.0.2.2'), null)
    limiter.release('192.0.2.1')
    assert.equal(admitReply(limiter, '192.0.2.1'), null)
    assert.equal(limiter.sessions, 3)
  })

  test('limits the addresses of an IPv6 /64 together', () => {
    const { limiter } = limiterWith({ maxSessionsPerAddress: 1 })
    assert.equal(admitReply(limiter, '2001:db8::1'), null)
    assert.equal(admitReply(limiter, '2001:db8::2:2'), addressRefusal)
    assert.equal(admitReply(limiter, '2001:db8:0:1::1'), null)
  })

  test('refuses a session beyond the maximum of all addresses; the maximum of the address is checked first', () => {
    const { limiter } = limiterWith({ maxSessions: 2, maxSessionsPerAddress: 2 })
    assert.equal(admitReply(limiter, '192.0.2.1'), null)
    assert.equal(admitReply(limiter, '192.0.2.1'), null)
    assert.equal(admitReply(limiter, '192.0.2.1'), addressRefusal)
    assert.equal(admitReply(limiter, '192.0.2.2'), totalRefusal)
    limiter.release('192.0.2.1')
    assert.equal(admitReply(limiter, '192.0.2.2'), null)
  })

  test('asks for room when a twentieth of all sessions is free, and keeps these for known senders', () => {
    const { limiter } = limiterWith({ maxSessions: 40 })
    let asked = 0
    limiter.whenNearlyFull(
      () => asked++,
      (address) => address === '192.0.2.2',
    )
    for (let session = 0; session < 38; session++) assert.equal(admitReply(limiter, '192.0.2.1'), null)
    assert.equal(asked, 0)
    assert.equal(admitReply(limiter, '192.0.2.1'), totalRefusal)
    assert.equal(admitReply(limiter, '192.0.2.2'), null)
    assert.equal(admitReply(limiter, '192.0.2.2'), null)
    assert.equal(admitReply(limiter, '192.0.2.2'), totalRefusal)
    assert.equal(asked, 4)
  })

  test('ignores the release of an address without a session', () => {
    const { limiter } = limiterWith({ maxSessions: 1 })
    assert.equal(admitReply(limiter, '192.0.2.1'), null)
    limiter.release('192.0.2.9')
    assert.equal(admitReply(limiter, '192.0.2.2'), totalRefusal)
    limiter.release('192.0.2.1')
    limiter.release('192.0.2.1')
    assert.equal(admitReply(limiter, '192.0.2.2'), null)
    assert.equal(admitReply(limiter, '192.0.2.3'), totalRefusal)
  })
})

describe('the connection limiter of new sessions per minute', () => {
  test('refuses further sessions of an address until the minute of its first session is over', () => {
    const { limiter, clock } = limiterWith({ maxNewSessionsPerMinute: 3 })
    for (let session = 0; session < 3; session++) {
      assert.equal(admitReply(limiter, '192.0.2.1'), null)
      limiter.release('192.0.2.1')
    }
    clock.now = 59_999
    assert.equal(admitReply(limiter, '192.0.2.1'), rateRefusal)
    assert.equal(admitReply(limiter, '192.0.2.2'), null)
    clock.now = 60_000
    assert.equal(admitReply(limiter, '192.0.2.1'), null)
  })

  test('counts from zero in the next minute, even if an earlier session stays open', () => {
    const { limiter, clock } = limiterWith({ maxNewSessionsPerMinute: 1 })
    assert.equal(admitReply(limiter, '192.0.2.1'), null)
    assert.equal(admitReply(limiter, '192.0.2.1'), rateRefusal)
    clock.now = 60_000
    assert.equal(admitReply(limiter, '192.0.2.1'), null)
    assert.equal(admitReply(limiter, '192.0.2.1'), rateRefusal)
  })

  test('admits 100 sessions per second of a relay that is attributed in each, and still limits its address', () => {
    const { limiter, clock } = limiterWith({ maxNewSessionsPerMinute: 50, maxSessionsPerAddress: 40 })
    const open: number[] = []
    for (; clock.now < 120_000; clock.now += 10) {
      // Each session takes 300 ms.
      for (; (open[0] ?? Infinity) <= clock.now; open.shift()) limiter.release('192.0.2.1', true)
      assert.equal(admitReply(limiter, '192.0.2.1'), null, `after ${clock.now} ms`)
      open.push(clock.now + 300)
    }
    for (const _ of open) limiter.release('192.0.2.1', true)
    clock.now += 60_000
    for (let session = 0; session < 50; session++) {
      assert.equal(admitReply(limiter, '192.0.2.1'), null)
      limiter.release('192.0.2.1')
    }
    assert.equal(admitReply(limiter, '192.0.2.1'), rateRefusal)
  })

  test('subtracts no attributed session of an earlier minute below zero', () => {
    const { limiter, clock } = limiterWith({ maxNewSessionsPerMinute: 2 })
    for (let session = 0; session < 2; session++) limiter.admit('192.0.2.1')
    clock.now = 60_000
    limiter.admit('192.0.2.1')
    for (let session = 0; session < 3; session++) limiter.release('192.0.2.1', true)
    assert.equal(admitReply(limiter, '192.0.2.1'), null)
    assert.equal(admitReply(limiter, '192.0.2.1'), null)
    assert.equal(admitReply(limiter, '192.0.2.1'), rateRefusal)
  })

  test('stores no address without a session when there is no limit', () => {
    const { limiter } = limiterWith()
    for (let session = 0; session < 5000; session++) {
      assert.equal(limiter.admit('192.0.2.1'), null)
      limiter.release('192.0.2.1')
    }
    assert.equal(limiter.addresses, 0)
  })

  test('forgets an address one to two minutes after its last session', () => {
    const { limiter, clock } = limiterWith({ maxNewSessionsPerMinute: 10 })
    limiter.admit('192.0.2.1')
    limiter.release('192.0.2.1')
    const addressCounts = [59_999, 60_000, 119_999, 120_000].map((now) => {
      clock.now = now
      limiter.release('192.0.2.9')
      limiter.admit('192.0.2.9')
      return limiter.addresses
    })
    assert.deepEqual(addressCounts, [2, 2, 2, 1])
  })
})

describe('the connection limiter under a flood of addresses', () => {
  const flood = (limiter: ConnectionLimiter, size: number) => {
    for (let client = 0; client < size; client++) {
      const ip = `10.${client >> 16}.${(client >> 8) & 255}.${client & 255}`
      assert.equal(limiter.admit(ip), null)
      limiter.release(ip)
    }
  }

  test('stores at most its maximum of addresses, and forgets the oldest first', () => {
    const { limiter } = limiterWith({ maxNewSessionsPerMinute: 1 }, 100)
    flood(limiter, 1000)
    assert.ok(limiter.addresses <= 100)
    assert.equal(admitReply(limiter, '10.0.3.231'), rateRefusal)
    assert.equal(admitReply(limiter, '10.0.0.1'), null)
  })

  test('does not forget an address with a session', () => {
    const { limiter } = limiterWith({ maxNewSessionsPerMinute: 1 }, 100)
    assert.equal(admitReply(limiter, '192.0.2.1'), null)
    flood(limiter, 1000)
    assert.equal(admitReply(limiter, '192.0.2.1'), rateRefusal)
  })

  test('stores at most 65,536 of a million addresses', () => {
    const { limiter } = limiterWith({ maxNewSessionsPerMinute: 1 })
    flood(limiter, 1_000_000)
    assert.ok(limiter.addresses <= 65_536)
  })
})

test('the connection limiter counts exactly the open sessions, for any sequence of sessions', () => {
  const ips = ['192.0.2.1', '::ffff:192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2', '2001:db8:1::1']
  const limits: ConnectionLimits = { maxSessions: 5, maxSessionsPerAddress: 3, maxNewSessionsPerMinute: 6 }
  const step = fc.record({ ip: fc.constantFrom(...ips), leaves: fc.boolean(), waits: fc.nat(20_000) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { limiter, clock } = limiterWith(limits, 2)
      const open: string[] = []
      for (const { ip, leaves, waits } of steps) {
        clock.now += waits
        const index = open.findIndex((openIp) => clientNetwork(openIp) === clientNetwork(ip))
        if (leaves && index >= 0) limiter.release(open.splice(index, 1)[0] ?? '')
        else if (!leaves) {
          const sessionsOfClient = open.filter((openIp) => clientNetwork(openIp) === clientNetwork(ip)).length
          const refusal = limiter.admit(ip)
          if (refusal === null) open.push(ip)
          assert.equal(
            refusal?.reason === 'TooManyConnections',
            sessionsOfClient >= limits.maxSessionsPerAddress,
          )
          if (refusal?.reason === 'TooManySessions') assert.equal(open.length, limits.maxSessions)
          assert.ok(open.length <= limits.maxSessions)
        }
        assert.equal(limiter.sessions, open.length)
        assert.ok(limiter.addresses <= new Set(open.map(clientNetwork)).size + 2)
      }
    }),
  )
})
