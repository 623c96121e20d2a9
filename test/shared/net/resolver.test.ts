import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import packet from 'dns-packet'
import {
  createResolver,
  type DnsAnswer,
  type QueryRound,
  type RecordType,
} from '../../../shared/net/resolver.ts'
import { type Answer, type NameServer, type Script, soa, startNameServer } from '../../support/name-server.ts'

const name = 'mx.partner.example'
const { AUTHENTIC_DATA, AUTHORITATIVE_ANSWER, CHECKING_DISABLED, RECURSION_AVAILABLE, TRUNCATED_RESPONSE } =
  packet
const proven = AUTHENTIC_DATA | RECURSION_AVAILABLE

/** The timeouts are longer than a server needs on a busy machine. Each silent server costs this time. */
const rounds: QueryRound[] = [
  { transport: 'Datagram', timeoutMs: 250 },
  { transport: 'Stream', timeoutMs: 250 },
]

const servers: NameServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
})

async function serve(script: Script, ip?: string): Promise<NameServer> {
  const server = await startNameServer(script, ip)
  servers.push(server)
  return server
}

const a = (owner: string, data = '192.0.2.1'): packet.Record => ({ name: owner, type: 'A', ttl: 60, data })
const alias = (owner: string, data: string): packet.Record => ({ name: owner, type: 'CNAME', ttl: 60, data })
const good: Answer = { answers: [a(name)] }

const foundResult = (data: string[] = ['192.0.2.1'], secure = false, owner = name) => ({
  kind: 'Found',
  records: data,
  secure,
  name: owner,
})
const failedResult = (code: string, bogus = false) => ({ kind: 'Failed', code, bogus })

async function resolveName(script: Script, type: RecordType = 'A', asked = name) {
  const server = await serve(script)
  const answer: DnsAnswer<unknown> = await createResolver([server.address], rounds).query(asked, type)
  return { answer, server }
}

const describeQueries = (server: NameServer) =>
  server.queries.map((query) =>
    [
      query.transport,
      ...(query.flags & CHECKING_DISABLED ? ['unchecked'] : []),
      ...(query.edns ? [] : ['without EDNS']),
    ].join(' '),
  )

describe('the resolver', () => {
  const rows: [RecordType, unknown, unknown][] = [
    ['A', '192.0.2.1', '192.0.2.1'],
    ['AAAA', '2001:db8::1', '2001:db8::1'],
    ['CNAME', 'Elsewhere.Example', 'elsewhere.example'],
    [
      'MX',
      { preference: 10, exchange: 'MX1.partner.example' },
      { preference: 10, exchange: 'mx1.partner.example' },
    ],
    ['MX', { preference: 0, exchange: '.' }, { preference: 0, exchange: '.' }],
    [
      'TLSA',
      { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.from('ab01', 'hex') },
      { usage: 3, selector: 1, matchingType: 1, data: 'ab01' },
    ],
    ['TXT', ['v=STSv1; ', 'id=1;'], 'v=STSv1; id=1;'],
    ['TXT', [''], ''],
  ]
  for (const [type, data, expected] of rows) {
    it(`reads ${type} ${JSON.stringify(expected)}`, async () => {
      const { answer } = await resolveName(() => [{ answers: [{ name, type, ttl: 60, data }] }], type)
      assert.deepEqual(answer, { kind: 'Found', records: [expected], secure: false, name })
    })
  }

  it('requests recursion and DNSSEC, each time with a new port and identifier', async () => {
    const server = await serve(() => [good])
    const resolver = createResolver([server.address], rounds)
    for (let times = 0; times < 8; times += 1) await resolver.query(name, 'A')
    for (const { flags, edns } of server.queries) {
      assert.equal(flags, packet.RECURSION_DESIRED | AUTHENTIC_DATA)
      assert.deepEqual(edns, { size: 1232, flags: packet.DNSSEC_OK })
    }
    assert.ok(new Set(server.queries.map(({ id }) => id)).size > 6)
    assert.ok(new Set(server.queries.map(({ port }) => port)).size > 6)
  })

  it('queries a server with an IPv6 address', async () => {
    const server = await serve(() => [good], '::1')
    assert.deepEqual(await createResolver([server.address], rounds).query(name, 'A'), foundResult())
  })

  it('reports an answer with the AD bit as proven', async () => {
    assert.deepEqual(
      (await resolveName(() => [{ ...good, flags: proven }])).answer,
      foundResult(['192.0.2.1'], true),
    )
    const nothing = await resolveName(() => [{ flags: proven, authorities: [soa] }])
    assert.deepEqual(nothing.answer, { kind: 'NoData', secure: true })
    const none = await resolveName(() => [{ rcode: 3, flags: proven, authorities: [soa] }])
    assert.deepEqual(none.answer, { kind: 'NoSuchName', secure: true })
  })

  it('ignores signatures and records of other types', async () => {
    const signature = { name, type: 'RRSIG', ttl: 60, data: Buffer.alloc(40) }
    const encoded = (query: { id: number }) => {
      const octets = packet.encode({
        type: 'response',
        id: query.id,
        flags: proven,
        questions: [{ name, type: 'A' }],
        answers: [{ ...signature, type: 'UNKNOWN_46' }, a(name), a('other.example', '192.0.2.9')],
        authorities: [],
      })
      return [octets]
    }
    assert.deepEqual((await resolveName(encoded)).answer, foundResult(['192.0.2.1'], true))
  })

  it('sends no query for an invalid name', async () => {
    const server = await serve(() => [good])
    const resolver = createResolver([server.address], rounds)
    for (const bad of [
      '',
      '.',
      'a..b',
      `${'a'.repeat(64)}.example`,
      'a.'.repeat(127),
      'ä.example',
      'a b.example',
    ])
      assert.deepEqual(await resolver.query(bad, 'A'), failedResult('EBADNAME'), bad)
    assert.deepEqual(server.queries, [])
  })
})

describe('a wrong message', () => {
  const wrong: [string, Answer | Buffer][] = [
    ['with another identifier', { answers: [a(name, '203.0.113.6')], id: 1 }],
    ['to another name', { answers: [a('x.example')], questions: [{ name: 'x.example', type: 'A' }] }],
    ['to another type', { answers: [a(name, '203.0.113.6')], questions: [{ name, type: 'MX' }] }],
    [
      'to two questions',
      {
        answers: [a(name, '203.0.113.6')],
        questions: [
          { name, type: 'A' },
          { name, type: 'A' },
        ],
      },
    ],
    ['to no question', { answers: [a(name, '203.0.113.6')], questions: [] }],
    ['that is not DNS', Buffer.from('no')],
  ]
  for (const [title, answer] of wrong) {
    it(`${title} is ignored`, async () => {
      const script: Script = ({ id }) => [
        Buffer.isBuffer(answer) || answer.id === undefined ? answer : { ...answer, id: id ^ answer.id },
        good,
      ]
      const { answer: taken, server } = await resolveName(script)
      assert.deepEqual(taken, foundResult())
      assert.deepEqual(describeQueries(server), ['Datagram'])
    })
  }

  it('that is a query is ignored', async () => {
    const query = (id: number) =>
      packet.encode({ type: 'query', id, flags: 0, questions: [{ name, type: 'A' }] })
    assert.deepEqual((await resolveName(({ id }) => [query(id), good])).answer, foundResult())
  })

  it('from another address is not received', async () => {
    const { answer } = await resolveName(async ({ transport: by }, elsewhere) => {
      if (by === 'Datagram') await elsewhere({ answers: [a(name, '203.0.113.6')] })
      return [good]
    })
    assert.deepEqual(answer, foundResult())
  })

  it('repeated like guesses makes the query use TCP', async () => {
    const server = await serve(({ transport: by, id }) =>
      by === 'Stream'
        ? [good]
        : Array.from({ length: 40 }, (_, n) => ({ answers: [a(name, '203.0.113.6')], id: id ^ (n + 1) })),
    )
    const resolver = createResolver([server.address], [{ transport: 'Datagram', timeoutMs: 60_000 }])
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.deepEqual(describeQueries(server), ['Datagram', 'Stream'])
  })

  it('over TCP fails the query', async () => {
    const { answer } = await resolveName(({ transport: by, id }) =>
      by === 'Stream' ? [{ ...good, id: id ^ 1 }, good] : [{ flags: TRUNCATED_RESPONSE }],
    )
    assert.deepEqual(answer, failedResult('EBADRESP'))
  })

  it('that is truncated makes the query use TCP', async () => {
    const cut = (id: number) => {
      const whole = packet.encode({
        type: 'response',
        id,
        flags: RECURSION_AVAILABLE,
        questions: [{ name, type: 'A' }],
        answers: [a(name)],
        authorities: [],
      })
      return whole.subarray(0, -2)
    }
    const { answer, server } = await resolveName(({ transport: by, id }) =>
      by === 'Stream' ? [good] : [cut(id)],
    )
    assert.deepEqual(answer, foundResult())
    assert.deepEqual(describeQueries(server), ['Datagram', 'Stream'])
  })
})

describe('an answer too long for a datagram', () => {
  const long = Array.from({ length: 200 }, (_, n) => `192.0.2.${n}`)
  const truncated: Answer = { flags: RECURSION_AVAILABLE | TRUNCATED_RESPONSE, answers: [a(name)] }

  it('is requested over TCP', async () => {
    const { answer, server } = await resolveName(({ transport: by }) =>
      by === 'Stream' ? [{ answers: long.map((ip) => a(name, ip)), flags: proven }] : [truncated],
    )
    assert.deepEqual(answer, foundResult(long, true))
    assert.deepEqual(describeQueries(server), ['Datagram', 'Stream'])
  })

  const broken: [string, Script, string][] = [
    ['fails when TCP is closed', () => ['Close'], 'ECONNRESET'],
    ['fails when it is also truncated over TCP', () => [truncated], 'EBADRESP'],
    ['fails when TCP stops in its middle', () => [Buffer.from([0, 100, 1, 2, 3])], 'ETIMEOUT'],
    ['fails when TCP has no valid message', () => [Buffer.from([0, 2, 1, 2])], 'EBADRESP'],
  ]
  for (const [title, script, code] of broken) {
    it(title, async () => {
      const { answer } = await resolveName((query, elsewhere) =>
        query.transport === 'Stream' ? script(query, elsewhere) : [truncated],
      )
      assert.deepEqual(answer, failedResult(code))
    })
  }
})

describe('aliases', () => {
  const rows: [string, Answer, unknown][] = [
    [
      'are followed to the end',
      { answers: [alias(name, 'B.example'), alias('b.example', 'c.example'), a('C.example')], flags: proven },
      foundResult(['192.0.2.1'], true, 'c.example'),
    ],
    [
      'are followed in any order of the records',
      { answers: [a('c.example'), alias('b.example', 'c.example'), alias(name, 'b.example')] },
      foundResult(['192.0.2.1'], false, 'c.example'),
    ],
    [
      'may lead to a missing name',
      { rcode: 3, answers: [alias(name, 'gone.example')], authorities: [soa] },
      { kind: 'NoSuchName', secure: false },
    ],
    [
      'that lead to records with NXDOMAIN have the result NXDOMAIN',
      { rcode: 3, answers: [alias(name, 'b.example'), a('b.example')] },
      { kind: 'NoSuchName', secure: false },
    ],
    [
      'may lead to a name without such records',
      { answers: [alias(name, 'b.example')], authorities: [soa] },
      { kind: 'NoData', secure: false },
    ],
    [
      'of other names are ignored',
      { answers: [alias('x.example', 'b.example'), a('b.example')] },
      { kind: 'NoData', secure: false },
    ],
    [
      'in a circle fail',
      { answers: [alias(name, 'b.example'), alias('b.example', name)] },
      failedResult('EBADRESP'),
    ],
    ['to itself fail', { answers: [alias(name, name)] }, failedResult('EBADRESP')],
    [
      'without an end fail',
      {
        answers: Array.from({ length: 40 }, (_, n) => alias(n ? `a${n}.example` : name, `a${n + 1}.example`)),
      },
      failedResult('EBADRESP'),
    ],
    ['to an invalid name fail', { answers: [alias(name, 'a b.example')] }, failedResult('EBADNAME')],
  ]
  for (const [title, answer, expected] of rows) {
    it(title, async () => assert.deepEqual((await resolveName(() => [answer])).answer, expected))
  }

  it("are not queried further when the zone's SOA proves that no records exist", async () => {
    const { server } = await resolveName(() => [{ answers: [alias(name, 'b.example')], authorities: [soa] }])
    assert.equal(server.queries.length, 1)
  })

  it('are not followed when CNAME is queried', async () => {
    const { answer, server } = await resolveName(
      () => [{ answers: [alias(name, 'b.example')], flags: proven }],
      'CNAME',
    )
    assert.deepEqual(answer, foundResult(['b.example'], true))
    assert.equal(server.queries.length, 1)
  })

  const further: [string, number, number, boolean][] = [
    ['is proven when both answers are', proven, proven, true],
    ['is not proven when the alias is not', RECURSION_AVAILABLE, proven, false],
    ['is not proven when the target is not', proven, RECURSION_AVAILABLE, false],
  ]
  for (const [title, first, second, secure] of further) {
    it(`without their target in the reply are queried further, and the target ${title}`, async () => {
      const { answer, server } = await resolveName(({ name: asked }) =>
        asked === name
          ? [{ answers: [alias(name, 'b.example')], flags: first }]
          : [{ answers: [a('b.example')], flags: second }],
      )
      assert.deepEqual(answer, foundResult(['192.0.2.1'], secure, 'b.example'))
      assert.deepEqual(
        server.queries.map((query) => query.name),
        [name, 'b.example'],
      )
    })
  }

  it('that continue without an end over several replies fail', async () => {
    let next = 0
    const { answer, server } = await resolveName(({ name: asked }) => {
      next += 1
      return [{ answers: [alias(asked, `a${next}.example`)] }]
    })
    assert.deepEqual(answer, failedResult('EBADRESP'))
    assert.equal(server.queries.length, 17)
  })
})

describe('a server that cannot answer', () => {
  const refusals: [number, string, string[]][] = [
    [5, 'EREFUSED', ['Datagram']],
    [1, 'EFORMERR', ['Datagram', 'Datagram without EDNS']],
    [4, 'ENOTIMP', ['Datagram', 'Datagram without EDNS']],
    [9, 'rcode 9', ['Datagram']],
    [2, 'ESERVFAIL', ['Datagram', 'Datagram unchecked']],
  ]
  for (const [rcode, code, asked] of refusals) {
    it(`because of ${code} gets these queries: ${asked.join(', ')}`, async () => {
      const { answer, server } = await resolveName(() => [{ rcode }])
      assert.deepEqual(answer, failedResult(code))
      assert.deepEqual(describeQueries(server), asked)
    })
  }

  it('because it does not support EDNS is queried without EDNS', async () => {
    const { answer } = await resolveName(({ edns }) => (edns ? [{ rcode: 1, questions: [] }] : [good]))
    assert.deepEqual(answer, foundResult())
  })

  it('and supports only a newer EDNS is queried without EDNS', async () => {
    const { answer } = await resolveName(({ edns }) => (edns ? [{ rcode: 16 }] : [good]))
    assert.deepEqual(answer, foundResult())
  })

  it('and returns a referral is treated as an error', async () => {
    const { answer } = await resolveName(() => [
      { flags: 0, authorities: [{ name: 'example', type: 'NS', ttl: 1, data: 'ns.example' }] },
    ])
    assert.deepEqual(answer, failedResult('EBADRESP'))
  })

  it('recursively but is authoritative gives a conclusive answer', async () => {
    const { answer } = await resolveName(() => [{ flags: AUTHORITATIVE_ANSWER }])
    assert.deepEqual(answer, { kind: 'NoData', secure: false })
  })

  it('times out over UDP and over TCP', async () => {
    const { answer, server } = await resolveName(() => [])
    assert.deepEqual(answer, failedResult('ETIMEOUT'))
    assert.deepEqual(describeQueries(server), ['Datagram', 'Stream'])
  })

  it('over UDP is finally queried over TCP', async () => {
    const { answer } = await resolveName(({ transport: by }) => (by === 'Stream' ? [good] : []))
    assert.deepEqual(answer, foundResult())
  })

  it('because its port is closed fails immediately', async () => {
    const server = await startNameServer(() => [])
    await server.stop()
    assert.deepEqual(await createResolver([server.address]).query(name, 'A'), failedResult('ECONNREFUSED'))
  })

  for (const address of ['255.255.255.255', 'fe80::1%nowhere']) {
    it(`because no route to ${address} exists fails without an exception`, async () => {
      const answer = await createResolver([address], rounds).query(name, 'A')
      assert.equal(answer.kind, 'Failed')
    })
  }

  it('is abandoned when the signal aborts before the query is sent', async () => {
    const server = await serve(() => [good])
    const abort = new AbortController()
    const answer = createResolver([server.address], rounds).query(name, 'A', abort.signal)
    abort.abort()
    assert.deepEqual(await answer, failedResult('ETIMEOUT'))
  })

  it('is abandoned when the signal aborts', async () => {
    const abort = new AbortController()
    const server = await serve(() => {
      abort.abort()
      return []
    })
    const answer = await createResolver(
      [server.address, server.address],
      [{ transport: 'Datagram', timeoutMs: 60_000 }],
    ).query(name, 'A', abort.signal)
    assert.deepEqual(answer, failedResult('ETIMEOUT'))
    assert.equal(server.queries.length, 1)
  })

  it('gets no query when the signal has aborted before', async () => {
    const server = await serve(() => [good])
    const answer = await createResolver([server.address], rounds).query(name, 'A', AbortSignal.abort())
    assert.deepEqual(answer, failedResult('ETIMEOUT'))
    assert.deepEqual(server.queries, [])
  })
})

describe('a bogus answer', () => {
  for (const error of [6, 7, 8, 9, 10, 11, 12]) {
    it(`is recognised by the extended error ${error}`, async () => {
      const { answer, server } = await resolveName(() => [{ rcode: 2, error }])
      assert.deepEqual(answer, failedResult('ESERVFAIL', true))
      assert.deepEqual(describeQueries(server), ['Datagram'])
    })
  }
  for (const error of [0, 5, 13, 22]) {
    it(`is not recognised by the extended error ${error}`, async () => {
      assert.deepEqual((await resolveName(() => [{ rcode: 2, error }])).answer, failedResult('ESERVFAIL'))
    })
  }

  const unchecked = ({ flags }: { flags: number }) => (flags & CHECKING_DISABLED) !== 0

  it('is recognised when the query succeeds only with checking disabled', async () => {
    const { answer, server } = await resolveName((query) => (unchecked(query) ? [good] : [{ rcode: 2 }]))
    assert.deepEqual(answer, failedResult('ESERVFAIL', true))
    assert.deepEqual(describeQueries(server), ['Datagram', 'Datagram unchecked', 'Datagram'])
  })

  it('is not assumed when the query succeeds a moment later', async () => {
    let asked = 0
    const { answer } = await resolveName((query) => {
      asked += 1
      return unchecked(query) ? [good] : [asked === 1 ? { rcode: 2 } : { ...good, flags: proven }]
    })
    assert.deepEqual(answer, foundResult(['192.0.2.1'], true))
  })

  it('is never replaced by the answer without checking', async () => {
    const forged: Answer = { answers: [a(name, '203.0.113.6')] }
    const { answer } = await resolveName((query) => (unchecked(query) ? [forged] : [{ rcode: 2, error: 0 }]))
    assert.equal(answer.kind, 'Failed')
  })

  it('is not queried from another server, which might not validate', async () => {
    const [strict, careless] = [await serve(() => [{ rcode: 2, error: 6 }]), await serve(() => [good])]
    const resolver = createResolver([strict.address, careless.address], rounds)
    assert.deepEqual(await resolver.query(name, 'A'), failedResult('ESERVFAIL', true))
    assert.deepEqual(careless.queries, [])
  })
})

describe('with several servers,', () => {
  it('the next server is queried when a server fails, and comes first from then on', async () => {
    const [broken, well] = [await serve(() => [{ rcode: 5 }]), await serve(() => [good])]
    const resolver = createResolver([broken.address, well.address], rounds)
    for (let times = 0; times < 3; times += 1)
      assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.deepEqual([broken.queries.length, well.queries.length], [1, 3])
  })

  it('the next server is queried when a server is silent', async () => {
    const [silent, well] = [await serve(() => []), await serve(() => [good])]
    assert.deepEqual(
      await createResolver([silent.address, well.address], rounds).query(name, 'A'),
      foundResult(),
    )
    assert.deepEqual(describeQueries(silent), ['Datagram'])
  })

  it('a refusal is reported rather than a timeout', async () => {
    const [broken, silent] = [await serve(() => [{ rcode: 5 }]), await serve(() => [])]
    const answer = await createResolver([broken.address, silent.address], rounds).query(name, 'A')
    assert.deepEqual(answer, failedResult('EREFUSED'))
  })

  it('the invalid address is named', () => {
    assert.throws(
      () => createResolver(['192.0.2.1', 'dns.example']),
      /^Error: "dns\.example" is not the address/,
    )
  })
})
