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
  ttlSeconds: 60,
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
    ['PTR', 'MX1.partner.example', 'mx1.partner.example'],
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
    it(`reads the data of record type ${type} as ${JSON.stringify(expected)}`, async () => {
      const { answer } = await resolveName(() => [{ answers: [{ name, type, ttl: 60, data }] }], type)
      assert.deepEqual(answer, { ...foundResult(), records: [expected] })
    })
  }

  const signature = (typeCovered: 'A' | 'CNAME'): packet.Record => ({
    name,
    type: 'RRSIG',
    ttl: 60,
    data: {
      typeCovered,
      algorithm: 13,
      labels: 3,
      originalTTL: 3600,
      expiration: 2,
      inception: 1,
      keyTag: 1,
      signersName: 'example',
      signature: Buffer.from('00', 'hex'),
    },
  })
  for (const [typeCovered, ttlSeconds] of [
    ['A', 3600],
    ['CNAME', 60],
  ] as const)
    it(`gives records whose cached TTL is 60, with a signature of 3600 over ${typeCovered}, the TTL ${ttlSeconds}`, async () => {
      const answers = [a(name), signature(typeCovered)]
      assert.deepEqual((await resolveName(() => [{ answers }])).answer, { ...foundResult(), ttlSeconds })
    })

  it('requests recursion and DNSSEC, with a new port and identifier for each query', async () => {
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

  it('reports an answer with the AD bit as secure, also when it has no record', async () => {
    assert.deepEqual(
      (await resolveName(() => [{ ...good, flags: proven }])).answer,
      foundResult(['192.0.2.1'], true),
    )
    const nothing = await resolveName(() => [{ flags: proven, authorities: [soa] }])
    assert.deepEqual(nothing.answer, { kind: 'NoData', secure: true })
    const none = await resolveName(() => [{ rcode: 3, flags: proven, authorities: [soa] }])
    assert.deepEqual(none.answer, { kind: 'NoSuchName', secure: true })
  })

  it('ignores signatures and records of other names in an answer', async () => {
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

  it('sends no query for an invalid name and returns EBADNAME', async () => {
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

describe('a wrong message instead of a DNS reply', () => {
  const wrong: [string, Answer | Buffer][] = [
    ['with another identifier', { answers: [a(name, '203.0.113.6')], id: 1 }],
    ['about another name', { answers: [a('x.example')], questions: [{ name: 'x.example', type: 'A' }] }],
    ['about another type', { answers: [a(name, '203.0.113.6')], questions: [{ name, type: 'MX' }] }],
    [
      'with two questions',
      {
        answers: [a(name, '203.0.113.6')],
        questions: [
          { name, type: 'A' },
          { name, type: 'A' },
        ],
      },
    ],
    ['without a question', { answers: [a(name, '203.0.113.6')], questions: [] }],
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

  it('from another address than the server is not used', async () => {
    const { answer } = await resolveName(async ({ transport: by }, elsewhere) => {
      if (by === 'Datagram') await elsewhere({ answers: [a(name, '203.0.113.6')] })
      return [good]
    })
    assert.deepEqual(answer, foundResult())
  })

  it('with another identifier, forty times as from an attacker that guesses, makes the query use TCP', async () => {
    const server = await serve(({ transport: by, id }) =>
      by === 'Stream'
        ? [good]
        : Array.from({ length: 40 }, (_, n) => ({ answers: [a(name, '203.0.113.6')], id: id ^ (n + 1) })),
    )
    const resolver = createResolver([server.address], [{ transport: 'Datagram', timeoutMs: 60_000 }])
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.deepEqual(describeQueries(server), ['Datagram', 'Stream'])
  })

  it('over TCP fails the query with EBADRESP', async () => {
    const { answer } = await resolveName(({ transport: by, id }) =>
      by === 'Stream' ? [{ ...good, id: id ^ 1 }, good] : [{ flags: TRUNCATED_RESPONSE }],
    )
    assert.deepEqual(answer, failedResult('EBADRESP'))
  })

  it('whose last octets are missing, without the flag TC, makes the query use TCP', async () => {
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

describe('an answer with the flag TC over UDP', () => {
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
    ['the server closes the TCP connection', () => ['Close'], 'ECONNRESET'],
    ['the answer over TCP has the flag TC too', () => [truncated], 'EBADRESP'],
    ['the answer over TCP stops in its middle', () => [Buffer.from([0, 100, 1, 2, 3])], 'ETIMEOUT'],
    ['the answer over TCP is no valid message', () => [Buffer.from([0, 2, 1, 2])], 'EBADRESP'],
  ]
  for (const [title, script, code] of broken) {
    it(`leads to ${code} when ${title}`, async () => {
      const { answer } = await resolveName((query, elsewhere) =>
        query.transport === 'Stream' ? script(query, elsewhere) : [truncated],
      )
      assert.deepEqual(answer, failedResult(code))
    })
  }
})

describe('aliases in an answer', () => {
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
      'that lead to a missing name have the result NoSuchName',
      { rcode: 3, answers: [alias(name, 'gone.example')], authorities: [soa] },
      { kind: 'NoSuchName', secure: false },
    ],
    [
      'in a reply NXDOMAIN have the result NoSuchName, although records of the target are there',
      { rcode: 3, answers: [alias(name, 'b.example'), a('b.example')] },
      { kind: 'NoSuchName', secure: false },
    ],
    [
      'that lead to a name without records of the type have the result NoData',
      { answers: [alias(name, 'b.example')], authorities: [soa] },
      { kind: 'NoData', secure: false },
    ],
    [
      'of other names are ignored',
      { answers: [alias('x.example', 'b.example'), a('b.example')] },
      { kind: 'NoData', secure: false },
    ],
    [
      'in a circle have the result EBADRESP',
      { answers: [alias(name, 'b.example'), alias('b.example', name)] },
      failedResult('EBADRESP'),
    ],
    [
      'of a name to itself have the result EBADRESP',
      { answers: [alias(name, name)] },
      failedResult('EBADRESP'),
    ],
    [
      'in a chain of forty have the result EBADRESP',
      {
        answers: Array.from({ length: 40 }, (_, n) => alias(n ? `a${n}.example` : name, `a${n + 1}.example`)),
      },
      failedResult('EBADRESP'),
    ],
    [
      'to an invalid name have the result EBADNAME',
      { answers: [alias(name, 'a b.example')] },
      failedResult('EBADNAME'),
    ],
  ]
  for (const [title, answer, expected] of rows) {
    it(title, async () => assert.deepEqual((await resolveName(() => [answer])).answer, expected))
  }

  it("lead to no further query when the answer has the target zone's SOA", async () => {
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
    ['secure when both answers are', proven, proven, true],
    ["not secure when the alias's answer is not", RECURSION_AVAILABLE, proven, false],
    ["not secure when the target's answer is not", proven, RECURSION_AVAILABLE, false],
  ]
  for (const [title, first, second, secure] of further) {
    it(`without their target lead to a query for the target, and the result is ${title}`, async () => {
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

  it('that continue in each further answer have the result EBADRESP after 17 queries', async () => {
    let next = 0
    const { answer, server } = await resolveName(({ name: asked }) => {
      next += 1
      return [{ answers: [alias(asked, `a${next}.example`)] }]
    })
    assert.deepEqual(answer, failedResult('EBADRESP'))
    assert.equal(server.queries.length, 17)
  })
})

describe('a name server', () => {
  const refusals: [number, string, string[]][] = [
    [5, 'EREFUSED', ['Datagram']],
    [1, 'EFORMERR', ['Datagram', 'Datagram without EDNS']],
    [4, 'ENOTIMP', ['Datagram', 'Datagram without EDNS']],
    [9, 'rcode 9', ['Datagram']],
    [2, 'ESERVFAIL', ['Datagram', 'Datagram unchecked']],
  ]
  for (const [rcode, code, asked] of refusals) {
    it(`that answers every query with ${code} gets the queries: ${asked.join(', then ')}`, async () => {
      const { answer, server } = await resolveName(() => [{ rcode }])
      assert.deepEqual(answer, failedResult(code))
      assert.deepEqual(describeQueries(server), asked)
    })
  }

  it('that does not support EDNS is queried again without EDNS', async () => {
    const { answer } = await resolveName(({ edns }) => (edns ? [{ rcode: 1, questions: [] }] : [good]))
    assert.deepEqual(answer, foundResult())
  })

  it('that supports only another version of EDNS is queried again without EDNS', async () => {
    const { answer } = await resolveName(({ edns }) => (edns ? [{ rcode: 16 }] : [good]))
    assert.deepEqual(answer, foundResult())
  })

  it('that returns a referral leads to EBADRESP', async () => {
    const { answer } = await resolveName(() => [
      { flags: 0, authorities: [{ name: 'example', type: 'NS', ttl: 1, data: 'ns.example' }] },
    ])
    assert.deepEqual(answer, failedResult('EBADRESP'))
  })

  it('that does not recurse but is authoritative gives a valid answer', async () => {
    const { answer } = await resolveName(() => [{ flags: AUTHORITATIVE_ANSWER }])
    assert.deepEqual(answer, { kind: 'NoData', secure: false })
  })

  it('that never answers is queried over UDP and over TCP until both time out', async () => {
    const { answer, server } = await resolveName(() => [])
    assert.deepEqual(answer, failedResult('ETIMEOUT'))
    assert.deepEqual(describeQueries(server), ['Datagram', 'Stream'])
  })

  it('that does not answer over UDP is queried over TCP', async () => {
    const { answer } = await resolveName(({ transport: by }) => (by === 'Stream' ? [good] : []))
    assert.deepEqual(answer, foundResult())
  })

  it('whose port is closed leads to ECONNREFUSED', async () => {
    const server = await startNameServer(() => [])
    await server.stop()
    assert.deepEqual(await createResolver([server.address]).query(name, 'A'), failedResult('ECONNREFUSED'))
  })

  for (const address of ['255.255.255.255', 'fe80::1%nowhere']) {
    it(`with the unreachable address ${address} leads to a failed answer, not to an exception`, async () => {
      const answer = await createResolver([address], rounds).query(name, 'A')
      assert.equal(answer.kind, 'Failed')
    })
  }

  it('leads to ETIMEOUT when the signal aborts immediately after the call', async () => {
    const server = await serve(() => [good])
    const abort = new AbortController()
    const answer = createResolver([server.address], rounds).query(name, 'A', abort.signal)
    abort.abort()
    assert.deepEqual(await answer, failedResult('ETIMEOUT'))
  })

  it('leads to ETIMEOUT, without a query to the next server, when the signal aborts after the query', async () => {
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

  it('gets no query when the signal had aborted before the call', async () => {
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

  it('is not assumed when the repeated query with checking succeeds', async () => {
    let asked = 0
    const { answer } = await resolveName((query) => {
      asked += 1
      return unchecked(query) ? [good] : [asked === 1 ? { rcode: 2 } : { ...good, flags: proven }]
    })
    assert.deepEqual(answer, foundResult(['192.0.2.1'], true))
  })

  it('is never replaced by the answer with checking disabled', async () => {
    const forged: Answer = { answers: [a(name, '203.0.113.6')] }
    const { answer } = await resolveName((query) => (unchecked(query) ? [forged] : [{ rcode: 2, error: 0 }]))
    assert.equal(answer.kind, 'Failed')
  })

  it('causes no query to the next server, which might not validate', async () => {
    const [strict, careless] = [await serve(() => [{ rcode: 2, error: 6 }]), await serve(() => [good])]
    const resolver = createResolver([strict.address, careless.address], rounds)
    assert.deepEqual(await resolver.query(name, 'A'), failedResult('ESERVFAIL', true))
    assert.deepEqual(careless.queries, [])
  })
})

describe('a resolver with several name servers', () => {
  it('queries the next server when one refuses, and queries that server first from then on', async () => {
    const [broken, well] = [await serve(() => [{ rcode: 5 }]), await serve(() => [good])]
    const resolver = createResolver([broken.address, well.address], rounds)
    for (let times = 0; times < 3; times += 1)
      assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.deepEqual([broken.queries.length, well.queries.length], [1, 3])
  })

  it('queries the next server when one is silent', async () => {
    const [silent, well] = [await serve(() => []), await serve(() => [good])]
    assert.deepEqual(
      await createResolver([silent.address, well.address], rounds).query(name, 'A'),
      foundResult(),
    )
    assert.deepEqual(describeQueries(silent), ['Datagram'])
  })

  it('returns EREFUSED rather than ETIMEOUT when one server refuses and another is silent', async () => {
    const [broken, silent] = [await serve(() => [{ rcode: 5 }]), await serve(() => [])]
    const answer = await createResolver([broken.address, silent.address], rounds).query(name, 'A')
    assert.deepEqual(answer, failedResult('EREFUSED'))
  })

  it('cannot be created with an invalid address, and the error names the address', () => {
    assert.throws(
      () => createResolver(['192.0.2.1', 'dns.example']),
      /^Error: "dns\.example" is not the address/,
    )
  })
})
