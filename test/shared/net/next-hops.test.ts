import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatReply } from '../../../shared/mail/reply.ts'
import { findNextHops, type NextHopsResult, type RoutingOptions } from '../../../shared/net/next-hops.ts'
import { createResolver, type Resolver } from '../../../shared/net/resolver.ts'
import { fakeResolver, type Zone } from '../../support/dns.ts'
import { type Answer, startNameServer } from '../../support/name-server.ts'

const domain = 'partner.example'
const options = (): RoutingOptions => ({
  privateNetworks: [],
  dane: false,
  random: () => 0,
  signal: AbortSignal.timeout(60_000),
})

const byMx = (zone: Zone, changes: Partial<RoutingOptions> = {}): Promise<NextHopsResult> =>
  findNextHops({ kind: 'Mx', domain }, fakeResolver(zone), { ...options(), ...changes })

const bySmartHosts = (
  hosts: [string, number][],
  zone: Zone = {},
  random = () => 0,
): Promise<NextHopsResult> =>
  findNextHops(
    { kind: 'SmartHosts', hosts: hosts.map(([host, port]) => ({ host, port })) },
    fakeResolver(zone),
    { ...options(), random },
  )

const describeHops = (result: NextHopsResult): string | string[] =>
  result.kind === 'NotFound'
    ? formatReply(result.reply)
    : result.hops.map(({ host, ip, port }) => `${host} ${ip} ${port}`)

describe('name servers that do not answer', () => {
  const exchanges = Array.from({ length: 500 }, (_, n): [number, string] => [n, `mx${n}.example`])
  const zone: Zone = { mx: { [domain]: exchanges }, a: { 'mx9.example': ['8.8.8.9'] } }

  /** Answers only for these names. */
  const answersOnlyFor = (...names: string[]): Resolver => {
    const { query } = fakeResolver(zone)
    return { query: (name, type) => (names.includes(name) ? query(name, type) : new Promise(() => {})) }
  }

  it('do not delay the result of findNextHops after its signal has aborted', async () => {
    const abort = new AbortController()
    const result = findNextHops({ kind: 'Mx', domain }, answersOnlyFor(domain), {
      ...options(),
      signal: abort.signal,
    })
    setImmediate(() => abort.abort())
    assert.match(
      String(describeHops(await result)),
      /^451 4\.4\.312 DNS failed for the addresses of .*: ETIMEOUT$/,
    )
  })

  it('for some MX hosts do not prevent the use of an MX host with an address', async () => {
    const abort = new AbortController()
    const result = findNextHops({ kind: 'Mx', domain }, answersOnlyFor(domain, 'mx9.example'), {
      ...options(),
      signal: abort.signal,
    })
    setImmediate(() => abort.abort())
    assert.deepEqual(describeHops(await result), ['mx9.example 8.8.8.9 25'])
  })

  it('are queried for the addresses of ten MX hosts at most', async () => {
    const resolver = fakeResolver({ mx: { [domain]: exchanges } })
    await findNextHops({ kind: 'Mx', domain }, resolver, options())
    assert.equal(resolver.queries.filter((question) => question.startsWith('A ')).length, 10)
  })
})

describe('the next hops of a domain', () => {
  const rows: [string, Zone, string | string[]][] = [
    [
      'are its MX hosts by preference, IPv4 before IPv6',
      {
        mx: {
          [domain]: [
            [20, 'b.example'],
            [10, 'A.example.'],
          ],
        },
        a: { 'a.example': ['8.8.8.1'], 'b.example': ['8.8.8.2', '8.8.8.3'] },
        aaaa: { 'a.example': ['2a00:1450::1'] },
      },
      ['a.example 8.8.8.1 25', 'a.example 2a00:1450::1 25', 'b.example 8.8.8.2 25', 'b.example 8.8.8.3 25'],
    ],
    [
      'are its own addresses when it has no MX',
      { a: { [domain]: ['8.8.8.1'] } },
      ['partner.example 8.8.8.1 25'],
    ],
    [
      'are never its own addresses when its MX cannot be used',
      { mx: { [domain]: [[10, 'gone.example']] }, a: { [domain]: ['8.8.8.1'] } },
      '451 4.4.312 No mail exchanger of partner.example has an address that may be used',
    ],
    [
      'are none with a null MX, and the message bounces with 5.1.10',
      { mx: { [domain]: [[0, '']] }, a: { [domain]: ['8.8.8.1'] } },
      '556 5.1.10 partner.example accepts no mail (null MX)',
    ],
    [
      'omit a null MX beside other records',
      {
        mx: {
          [domain]: [
            [0, ''],
            [5, 'a.example'],
          ],
        },
        a: { 'a.example': ['8.8.8.1'] },
      },
      ['a.example 8.8.8.1 25'],
    ],
    [
      'omit an MX record with an IP address as host',
      {
        mx: {
          [domain]: [
            [0, '8.8.8.9'],
            [5, 'a.example'],
          ],
        },
        a: { 'a.example': ['8.8.8.1'], '8.8.8.9': ['8.8.8.9'] },
      },
      ['a.example 8.8.8.1 25'],
    ],
    [
      'are none when the domain does not exist, and the message bounces with 5.1.2',
      {},
      '550 5.1.2 partner.example does not exist or has no mail server',
    ],
    [
      'are none when the domain has neither MX nor addresses, and the message bounces with 5.1.2',
      { aaaa: { [domain]: [] } },
      '550 5.1.2 partner.example does not exist or has no mail server',
    ],
    [
      'are none when the MX query fails, and the message is deferred with 4.4.312',
      { fail: { [domain]: 'ESERVFAIL' } },
      '451 4.4.312 DNS failed for the MX of partner.example: ESERVFAIL',
    ],
    [
      'are none when the MX query times out, and the message is deferred with 4.4.312',
      { fail: { [domain]: 'ETIMEOUT' } },
      '451 4.4.312 DNS failed for the MX of partner.example: ETIMEOUT',
    ],
    [
      'are none when the address queries of all MX hosts fail, and the message is deferred with 4.4.312',
      { mx: { [domain]: [[10, 'a.example']] }, fail: { 'a.example': 'ESERVFAIL' } },
      '451 4.4.312 DNS failed for the addresses of a.example: ESERVFAIL',
    ],
    [
      'are only the MX hosts whose addresses are found',
      {
        mx: {
          [domain]: [
            [10, 'a.example'],
            [20, 'b.example'],
          ],
        },
        a: { 'b.example': ['8.8.8.2'] },
        fail: { 'a.example': 'ESERVFAIL' },
      },
      ['b.example 8.8.8.2 25'],
    ],
    [
      'are at most ten addresses',
      {
        mx: { [domain]: [[10, 'a.example']] },
        a: { 'a.example': Array.from({ length: 30 }, (_, n) => `8.8.8.${n}`) },
      },
      Array.from({ length: 10 }, (_, n) => `a.example 8.8.8.${n} 25`),
    ],
  ]
  for (const [title, zone, expected] of rows) {
    it(title, async () => assert.deepEqual(describeHops(await byMx(zone)), expected))
  }

  it('are in random order within one preference, so that equal MX hosts share the load', async () => {
    const zone: Zone = {
      mx: {
        [domain]: [
          [10, 'a.example'],
          [10, 'b.example'],
          [20, 'c.example'],
        ],
      },
      a: { 'a.example': ['8.8.8.1'], 'b.example': ['8.8.8.2'], 'c.example': ['8.8.8.3'] },
    }
    const firstWith = async (draws: number[]) =>
      describeHops(await byMx(zone, { random: () => draws.shift() ?? 0 }))
    assert.deepEqual(await firstWith([0.1, 0.9, 0]), [
      'a.example 8.8.8.1 25',
      'b.example 8.8.8.2 25',
      'c.example 8.8.8.3 25',
    ])
    assert.deepEqual(await firstWith([0.9, 0.1, 0]), [
      'b.example 8.8.8.2 25',
      'a.example 8.8.8.1 25',
      'c.example 8.8.8.3 25',
    ])
  })
})

describe('an address from untrusted DNS', () => {
  const privateAddresses = [
    '127.0.0.1',
    '169.254.169.254',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '240.0.0.1',
    '198.18.0.1',
    '192.0.2.1',
    '::1',
    '::',
    'fe80::1',
    'fd00:ec2::254',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '2002:7f00:1::',
    '2001:db8::1',
    'fec0::1',
  ]
  for (const ip of privateAddresses) {
    const table = ip.includes(':') ? 'aaaa' : 'a'
    it(`is not used when it is ${ip}`, async () => {
      const viaMx = await byMx({ mx: { [domain]: [[10, 'a.example']] }, [table]: { 'a.example': [ip] } })
      assert.equal(
        describeHops(viaMx),
        '451 4.4.312 No mail exchanger of partner.example has an address that may be used',
      )
      const implicit = await byMx({ [table]: { [domain]: [ip] } })
      assert.equal(describeHops(implicit), '451 4.4.312 partner.example has no address that may be used')
    })
  }

  const allowed: [string, string[], boolean][] = [
    ['127.0.0.11', ['127.0.0.0/8'], true],
    ['127.0.0.11', ['10.0.0.0/8', '127.0.0.11/32'], true],
    ['::ffff:127.0.0.11', ['127.0.0.0/8'], true],
    ['fd00::1', ['127.0.0.0/8', 'fd00::/16'], true],
    ['fd00::1', ['127.0.0.0/8'], false],
    ['10.0.0.1', ['127.0.0.0/8'], false],
  ]
  for (const [ip, privateNetworks, used] of allowed) {
    it(`is ${used ? '' : 'not '}used when it is ${ip} and privateNetworks has ${privateNetworks.join(' and ')}`, async () => {
      const zone = ip.includes(':') ? { aaaa: { [domain]: [ip] } } : { a: { [domain]: [ip] } }
      assert.equal((await byMx(zone, { privateNetworks })).kind, used ? 'Found' : 'NotFound')
    })
  }

  it('is not used when it is in 10.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16 or 192.168.0.0/16', async () => {
    const octet = fc.integer({ min: 0, max: 255 })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('10', '127', '169.254', '192.168'),
        octet,
        octet,
        octet,
        async (net, x, y, z) => {
          const ip = [...net.split('.'), x, y, z].slice(0, 4).join('.')
          assert.equal((await byMx({ a: { [domain]: [ip] } })).kind, 'NotFound')
        },
      ),
    )
  })
})

describe('the next hops of a route by smart hosts', () => {
  it('may have private addresses, because the administrator chose them', async () => {
    const result = await bySmartHosts([['192.168.1.5', 2525]])
    assert.deepEqual(describeHops(result), ['192.168.1.5 192.168.1.5 2525'])
  })

  it("are the addresses of the smart hosts' names, whose MX records are ignored", async () => {
    const zone: Zone = {
      mx: { 'relay.example': [[1, 'other.example']] },
      a: { 'relay.example': ['10.0.0.1'] },
    }
    assert.deepEqual(describeHops(await bySmartHosts([['relay.example', 587]], zone)), [
      'relay.example 10.0.0.1 587',
    ])
  })

  it('are in random order, so that smart hosts share the load', async () => {
    const draws = [0.9, 0.1]
    const result = await bySmartHosts(
      [
        ['10.0.0.1', 25],
        ['10.0.0.2', 25],
      ],
      {},
      () => draws.shift() ?? 0,
    )
    assert.deepEqual(describeHops(result), ['10.0.0.2 10.0.0.2 25', '10.0.0.1 10.0.0.1 25'])
  })

  it('are none when no smart host has an address, and the message is deferred with 4.4.312', async () => {
    assert.equal(
      describeHops(await bySmartHosts([['gone.example', 25]])),
      '451 4.4.312 The smart hosts have no address',
    )
  })
})

describe('the next hops of a domain from a real name server', () => {
  const rows: [string, Answer, string | string[]][] = [
    [
      'are none with a null MX, and the message bounces with 5.1.10',
      { answers: [{ ttl: 1, type: 'MX', name: domain, data: { preference: 0, exchange: '.' } }] },
      '556 5.1.10 partner.example accepts no mail (null MX)',
    ],
    [
      "are the domain's addresses when it has no MX",
      { answers: [{ ttl: 1, type: 'A', name: domain, data: '8.8.8.1' }] },
      ['partner.example 8.8.8.1 25'],
    ],
    [
      "are the addresses of its alias's target when it has no MX",
      {
        answers: [
          { ttl: 1, type: 'CNAME', name: domain, data: 'real.example' },
          { ttl: 1, type: 'A', name: 'real.example', data: '8.8.8.1' },
        ],
      },
      ['partner.example 8.8.8.1 25'],
    ],
    [
      'are none after NXDOMAIN, and the message bounces with 5.1.2',
      { rcode: 3 },
      '550 5.1.2 partner.example does not exist or has no mail server',
    ],
    [
      'are none after SERVFAIL, and the message is deferred with 4.4.312',
      { rcode: 2 },
      '451 4.4.312 DNS failed for the MX of partner.example: ESERVFAIL',
    ],
    [
      'are none when DNSSEC validation fails, and the message is deferred with 4.7.324',
      { rcode: 2, error: 6 },
      '451 4.7.324 DNSSEC validation failed for the MX of partner.example',
    ],
  ]
  for (const [title, answer, expected] of rows) {
    it(title, async () => {
      const server = await startNameServer(({ type }) => [
        {
          ...answer,
          answers: answer.answers?.filter((record) => [type, 'CNAME'].includes(record.type)) ?? [],
        },
      ])
      try {
        const result = await findNextHops({ kind: 'Mx', domain }, createResolver([server.address]), options())
        assert.deepEqual(describeHops(result), expected)
      } finally {
        await server.stop()
      }
    })
  }
})
