import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { TLSSocket, type TlsOptions } from 'node:tls'
import { promisify } from 'node:util'
import packet from 'dns-packet'
import type { ChannelOptions } from '../../../shared/net/dns/tls-channel.ts'
import { createResolver, type QueryRound } from '../../../shared/net/resolver.ts'
import { listen } from '../../support/listen.ts'
import {
  type Answer,
  type NameServer,
  type ReceivedQuery,
  type Script,
  startNameServer,
} from '../../support/name-server.ts'
import { createPki, daysFromNow, type Identity, type Pki, selfSigned } from '../../support/pki.ts'
import { trust } from '../../support/policy-host.ts'

const name = 'mx.partner.example'
const own = 'dns.resolver.example'
const { AUTHENTIC_DATA, RECURSION_AVAILABLE, TRUNCATED_RESPONSE } = packet
const proven = AUTHENTIC_DATA | RECURSION_AVAILABLE

/** For tests in which no query times out. */
const noTimeoutRounds: QueryRound[] = [{ transport: 'Datagram', timeoutMs: 10_000 }]
/** The timeout includes the time of a handshake. */
const shortRounds: QueryRound[] = [{ transport: 'Datagram', timeoutMs: 400 }]

/** Sockets with which this process could have sent queries in the clear. */
const clearSockets: string[] = []
let pki: Pki
let good: Identity

before(async () => {
  pki = await createPki()
  trust(pki.ca)
  good = await pki.issue({ names: [own] })
  subscribe('udp.socket', () => clearSockets.push('udp'))
  subscribe('net.client.socket', (results) => {
    if (!((results as { socket: Socket }).socket instanceof TLSSocket)) clearSockets.push('tcp')
  })
})

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  clearSockets.length = 0
})

async function serve(script: Script, tls: TlsOptions = good, ip?: string): Promise<NameServer> {
  const server = await startNameServer(script, ip, { ...tls, name: own })
  stops.push(server.stop)
  clearSockets.length = 0
  return server
}

const a = (owner: string, data = '192.0.2.1'): packet.Record => ({ name: owner, type: 'A', ttl: 60, data })
const answerTo = ({ name: query }: ReceivedQuery): Answer => ({ answers: [a(query)], flags: proven })
const answerAll: Script = (query) => [answerTo(query)]
const foundResult = (owner = name, secure = true) => ({
  kind: 'Found',
  records: ['192.0.2.1'],
  secure,
  name: owner,
  ttlSeconds: 60,
})
const failedResult = (code: string, bogus = false) => ({ kind: 'Failed', code, bogus })

const resolveName = (
  { address }: { address: string },
  rounds = noTimeoutRounds,
  channel: Partial<ChannelOptions> = {},
) => createResolver([address], rounds, channel).query(name, 'A')

const connections = (server: NameServer) => new Set(server.queries.map(({ port }) => port)).size
const transportsOf = (server: NameServer) => server.queries.map((query) => query.transport)

describe('a name server with TLS', () => {
  it('gets queries only over TLS, and its AD bit is trusted', async () => {
    const server = await serve(answerAll)
    assert.deepEqual(await resolveName(server), foundResult())
    assert.deepEqual(transportsOf(server), ['Tls'])
    assert.deepEqual(clearSockets, [])
  })

  it('may give an answer without the AD bit, which is not secure', async () => {
    assert.deepEqual(await resolveName(await serve(() => [{ answers: [a(name)] }])), foundResult(name, false))
  })

  it('may give a bogus answer, which is reported as bogus', async () => {
    assert.deepEqual(
      await resolveName(await serve(() => [{ rcode: 2, error: 6 }])),
      failedResult('ESERVFAIL', true),
    )
  })

  it('may have an IPv6 address', async () => {
    assert.deepEqual(await resolveName(await serve(answerAll, good, '::1')), foundResult())
  })

  it('may use TLS 1.2', async () => {
    assert.deepEqual(
      await resolveName(await serve(answerAll, { ...good, maxVersion: 'TLSv1.2' })),
      foundResult(),
    )
  })

  it('may have a certificate with another letter case, a wildcard or an intermediate CA', async () => {
    const below = await pki.subordinate('Below')
    for (const names of [['DNS.Resolver.Example'], ['other.example', '*.resolver.example']])
      assert.deepEqual(
        await resolveName(await serve(answerAll, await below.issue({ names }))),
        foundResult(),
        names.join(),
      )
  })

  it('gets queries that are padded to 128 or 256 octets, so that their length hides the name', async () => {
    const server = await serve(answerAll)
    const resolver = createResolver([server.address], noTimeoutRounds)
    const names = ['a.example', 'somewhat-longer.partner.example', `${'a'.repeat(30)}.partner.example`]
    await Promise.all(names.map((each) => resolver.query(each, 'A')))
    assert.deepEqual([...new Set(server.queries.map(({ length }) => length))], [128])
    await resolver.query(`${'a'.repeat(63)}.${'b'.repeat(63)}.example`, 'A')
    assert.equal(server.queries.at(-1)?.length, 256)
  })

  it('may send a reply of any length', async () => {
    const long = Array.from({ length: 1_800 }, (_, n) => `192.0.${n >> 8}.${n & 255}`)
    const server = await serve(() => [{ answers: long.map((ip) => a(name, ip)), flags: proven }])
    assert.deepEqual(await resolveName(server), { ...foundResult(), records: long })
  })

  it('that truncates its reply fails the query with EBADRESP', async () => {
    const server = await serve(() => [
      { flags: RECURSION_AVAILABLE | TRUNCATED_RESPONSE, answers: [a(name)] },
    ])
    assert.deepEqual(await resolveName(server), failedResult('EBADRESP'))
    assert.deepEqual(clearSockets, [])
  })

  it('that does not support EDNS is queried again without EDNS, on the same connection', async () => {
    const server = await serve((query) => [query.edns ? { rcode: 1 } : answerTo(query)])
    assert.deepEqual(await resolveName(server), foundResult())
    assert.equal(connections(server), 1)
  })
})

describe('a name server with TLS that cannot be verified', () => {
  const rows: [string, () => Promise<TlsOptions>, string][] = [
    [
      'has a certificate for another name',
      () => pki.issue({ names: ['dns.other.example'] }),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    [
      'has a certificate with the name only as common name',
      () => pki.issue({ names: [], commonName: own }),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    [
      'has a certificate for subdomains of the name',
      () => pki.issue({ names: [`a.${own}`, `*.${own}`] }),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    ['has a self-signed certificate', () => selfSigned({ names: [own] }), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    [
      'has a certificate of an untrusted CA',
      async () => (await createPki('Another CA')).issue({ names: [own] }),
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
    [
      'has an expired certificate',
      () => pki.issue({ names: [own], notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) }),
      'CERT_HAS_EXPIRED',
    ],
    [
      'has a certificate for signed mail',
      () => pki.issue({ names: [own], purposes: ['emailProtection'] }),
      'INVALID_PURPOSE',
    ],
    [
      'supports only an old TLS version',
      async () => ({ ...good, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
      'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    ],
  ]
  for (const [title, tls, code] of rows) {
    it(`because it ${title} gets no query by any transport`, async () => {
      const server = await serve(answerAll, await tls())
      assert.deepEqual(
        await resolveName(server, [...noTimeoutRounds, { transport: 'Stream', timeoutMs: 10_000 }]),
        failedResult(code),
      )
      // All queries that were sent have arrived.
      await server.idle()
      assert.deepEqual(server.queries, [])
      assert.deepEqual(clearSockets, [])
    })
  }

  it('cannot be in one list with a name server in the clear', () => {
    const mixed = [`tls://192.0.2.1#${own}`, '192.0.2.2']
    assert.throws(() => createResolver(mixed), /^Error: "tls:\S+" uses TLS and "192\.0\.2\.2" does not/)
  })

  it('does not prevent queries to the next name server of the list', async () => {
    const [wrong, well] = [await serve(answerAll, await selfSigned({ names: [own] })), await serve(answerAll)]
    const resolver = createResolver([wrong.address, well.address], noTimeoutRounds)
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.deepEqual([wrong.queries.length, well.queries.length], [0, 1])
  })
})

/** A server that is not a name server with TLS. */
async function bare(onConnection: (socket: Socket, nth: number) => void): Promise<{
  address: string
  connections: () => number
}> {
  let count = 0
  const { port, connections, stop } = await listen(createServer((socket) => onConnection(socket, count++)))
  stops.push(stop)
  return { address: `tls://127.0.0.1:${port}#${own}`, connections }
}

describe('a connection to a name server with TLS', () => {
  it('to a closed port fails with ECONNREFUSED', async () => {
    const server = await serve(answerAll)
    await stops.pop()?.()
    assert.deepEqual(await resolveName(server), failedResult('ECONNREFUSED'))
    assert.deepEqual(clearSockets, [])
  })

  it('to an address without a route fails', async () => {
    const brief: QueryRound[] = [{ transport: 'Datagram', timeoutMs: 100 }]
    assert.equal((await resolveName({ address: `tls://[fe80::1%nowhere]#${own}` }, brief)).kind, 'Failed')
  })

  it('to a server without TLS fails, and no query is sent in the clear', async () => {
    const server = await bare((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const answer = await resolveName(server)
    assert.deepEqual(answer, failedResult('ERR_SSL_WRONG_VERSION_NUMBER'))
    assert.deepEqual(clearSockets, [])
  })

  it('to a silent server is made again in each round, until the query times out', async () => {
    const server = await bare(() => {})
    const rounds: QueryRound[] = [
      { transport: 'Datagram', timeoutMs: 200 },
      { transport: 'Stream', timeoutMs: 200 },
    ]
    assert.deepEqual(await resolveName(server, rounds, { silenceTimeoutMs: 50 }), failedResult('ETIMEOUT'))
    assert.equal(server.connections(), 2)
    assert.deepEqual(clearSockets, [])
  })

  it('that the server resets in the handshake fails without an immediate retry', async () => {
    const server = await bare((socket) => socket.once('data', () => socket.destroy()))
    assert.deepEqual(await resolveName(server), failedResult('ECONNRESET'))
    assert.equal(server.connections(), 1)
  })

  it('is made only once for concurrent queries', async () => {
    const server = await serve(answerAll)
    const resolver = createResolver([server.address], noTimeoutRounds)
    await Promise.all(Array.from({ length: 20 }, (_, n) => resolver.query(`${n}.example`, 'A')))
    assert.deepEqual([server.queries.length, connections(server)], [20, 1])
  })

  it('is abandoned in the handshake when the signal aborts', async () => {
    const abort = new AbortController()
    const server = await bare(() => abort.abort())
    const resolver = createResolver([server.address], [{ transport: 'Datagram', timeoutMs: 60_000 }])
    assert.deepEqual(await resolver.query(name, 'A', abort.signal), failedResult('ETIMEOUT'))
  })
})

/** Withholds the answers until this number of queries has arrived. */
function answerTogether(count: number, order: (query: ReceivedQuery[]) => ReceivedQuery[]): Script {
  const queries: ReceivedQuery[] = []
  return (query) => {
    queries.push(query)
    return queries.length < count
      ? []
      : order(queries).map((each) => ({ ...answerTo(each), id: each.id, ...questionOf(each) }))
  }
}

const questionOf = ({ name: query, type }: ReceivedQuery) => ({ questions: [{ name: query, type }] })

describe('queries on one connection to a name server with TLS', () => {
  it('get their own answers in any order', async () => {
    const names = Array.from({ length: 50 }, (_, n) => `${n}.example`)
    const server = await serve(answerTogether(50, (all) => all.toReversed()))
    const resolver = createResolver([server.address], noTimeoutRounds)
    const answers = await Promise.all(names.map((each) => resolver.query(each, 'A')))
    assert.deepEqual(
      answers,
      names.map((each) => foundResult(each)),
    )
    assert.equal(new Set(server.queries.map(({ id }) => id)).size, 50)
    assert.equal(connections(server), 1)
  })

  it('are answered while another query has no answer', async () => {
    const server = await serve((query) => (query.name === 'slow.example' ? [] : [answerTo(query)]))
    const resolver = createResolver([server.address], [{ transport: 'Datagram', timeoutMs: 600 }], {
      silenceTimeoutMs: 300,
    })
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    const slow = resolver.query('slow.example', 'A')
    for (let n = 0; n < 5; n += 1)
      assert.deepEqual(await resolver.query(`${n}.example`, 'A'), foundResult(`${n}.example`))
    assert.deepEqual(await slow, failedResult('ETIMEOUT'))
    // The replies to other queries show that the server is reachable.
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.equal(connections(server), 1)
  })

  it('are not answered by late replies to earlier queries', async () => {
    const late: ReceivedQuery[] = []
    const server = await serve((query) => {
      if (query.name === 'late.example') {
        late.push(query)
        return []
      }
      const answers = [a('late.example', '203.0.113.6')]
      return [...late.map((each) => ({ answers, id: each.id, ...questionOf(each) })), answerTo(query)]
    })
    const resolver = createResolver([server.address], shortRounds, { silenceTimeoutMs: 60_000 })
    const answers = await Promise.all(Array.from({ length: 40 }, () => resolver.query('late.example', 'A')))
    assert.deepEqual(answers, Array(40).fill(failedResult('ETIMEOUT')))
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.deepEqual([late.length, connections(server)], [40, 1])
  })

  it('fail with EBADRESP when their reply has another question', async () => {
    const server = await serve((query) => [
      { answers: [a('x.example', '203.0.113.6')], questions: [{ name: 'x.example', type: 'A' }] },
      answerTo(query),
    ])
    assert.deepEqual(await resolveName(server), failedResult('EBADRESP'))
  })

  it('are limited to a thousand without an answer; a further query fails immediately with EBUSY', async () => {
    const server = await bare(() => {})
    const resolver = createResolver([server.address], [{ transport: 'Datagram', timeoutMs: 60_000 }])
    const abort = new AbortController()
    const max = Array.from({ length: 1_000 }, () => resolver.query(name, 'A', abort.signal))
    assert.deepEqual(await resolver.query(name, 'A'), failedResult('EBUSY'))
    abort.abort()
    assert.deepEqual(await Promise.all(max), Array(1_000).fill(failedResult('ETIMEOUT')))
  })

  it('are answered although unexpected messages precede the reply', async () => {
    const server = await serve((query) => [
      { ...answerTo(query), id: query.id ^ 1 },
      Buffer.from([0, 0]),
      Buffer.from([0, 1, 7]),
      answerTo(query),
    ])
    assert.deepEqual(await resolveName(server), foundResult())
  })

  it('are answered by a reply whose octets arrive one by one', async () => {
    const server = await serve(async (query) => {
      const whole = packet.streamEncode({
        type: 'response',
        id: query.id,
        flags: proven,
        ...questionOf(query),
        answers: [a(name)],
        authorities: [],
      })
      return [...whole].map((octet) => Buffer.from([octet]))
    })
    assert.deepEqual(await resolveName(server), foundResult())
  })
})

describe('an open connection to a name server with TLS', () => {
  it('with too many unexpected messages is closed and replaced once, and the query then fails', async () => {
    const server = await serve(({ id }) =>
      Array.from({ length: 200 }, (_, n) => ({ id: id ^ (n + 1), answers: [] })),
    )
    assert.deepEqual(await resolveName(server), failedResult('EBADRESP'))
    assert.equal(connections(server), 2)
  })

  it('with a message that does not end leads to the timeout of the query', async () => {
    const server = await serve(() => [Buffer.from([255, 255, 1, 2, 3])])
    assert.deepEqual(
      await resolveName(server, shortRounds, { silenceTimeoutMs: 50 }),
      failedResult('ETIMEOUT'),
    )
  })

  it('that ends within a reply is replaced, and the query is sent again', async () => {
    let times = 0
    const server = await serve((query) => {
      times += 1
      return times === 1 ? [Buffer.from([0, 100, 1, 2, 3]), 'Close'] : [answerTo(query)]
    })
    assert.deepEqual(await resolveName(server), foundResult())
    assert.equal(connections(server), 2)
  })

  it('is replaced only once when the server closes each connection instead of replying', async () => {
    const server = await serve(() => ['Close'])
    assert.deepEqual(await resolveName(server), failedResult('ECONNRESET'))
    assert.equal(connections(server), 2)
    assert.deepEqual(clearSockets, [])
  })

  it('that ends after one answer is replaced for the other pending queries', async () => {
    const heard: number[] = []
    const server = await serve((query) => {
      if (heard.includes(query.port)) return []
      heard.push(query.port)
      return heard.length === 2 ? ['Close'] : [answerTo(query), 'End']
    })
    const resolver = createResolver([server.address], noTimeoutRounds)
    const names = Array.from({ length: 6 }, (_, n) => `${n}.example`)
    const answers = await Promise.all(names.map((each) => resolver.query(each, 'A')))
    assert.deepEqual(
      answers,
      names.map((each) => foundResult(each)),
    )
    assert.equal(heard.length, 7)
  })

  it('whose server answers slowly is kept until the answer, beyond the timeouts of silence and idleness', async () => {
    const server = await serve(async (query) => {
      await setTimeout(150)
      return [answerTo(query)]
    })
    const resolver = createResolver([server.address], noTimeoutRounds, {
      silenceTimeoutMs: 50,
      idleTimeoutMs: 50,
    })
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.equal(connections(server), 1)
    const used = createResolver([server.address], noTimeoutRounds, {
      silenceTimeoutMs: 60_000,
      idleTimeoutMs: 50,
    })
    for (let n = 0; n < 2; n += 1) assert.deepEqual(await used.query(name, 'A'), foundResult())
    assert.equal(connections(server), 2)
  })

  it('is used again before its idle timeout', async () => {
    const server = await serve(answerAll)
    const resolver = createResolver([server.address], noTimeoutRounds)
    for (let n = 0; n < 5; n += 1) assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.equal(connections(server), 1)
  })

  it('is closed at its idle timeout', { timeout: 5_000 }, async () => {
    const server = await serve(answerAll)
    const resolver = createResolver([server.address], noTimeoutRounds, { idleTimeoutMs: 50 })
    await resolver.query(name, 'A')
    await server.idle()
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.equal(connections(server), 2)
  })

  it('is not used again when the clock has passed its idle timeout or gone back, as after a freeze of the process', async () => {
    let clock = 1_000_000
    const server = await serve(answerAll)
    const resolver = createResolver([server.address], noTimeoutRounds, { now: () => clock })
    await resolver.query(name, 'A')
    clock += 4_999
    await resolver.query(name, 'A')
    assert.equal(connections(server), 1)
    clock += 5_000
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.equal(connections(server), 2)
    clock -= 1
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.equal(connections(server), 3)
  })

  it('that no longer answers is replaced at the timeout of silence, before the query times out', async () => {
    const first = new Set<number>()
    let dead = false
    const server = await serve((query) => {
      if (!dead) first.add(query.port)
      return first.has(query.port) && dead ? [] : [answerTo(query)]
    })
    const resolver = createResolver([server.address], [{ transport: 'Datagram', timeoutMs: 60_000 }], {
      silenceTimeoutMs: 50,
    })
    await resolver.query(name, 'A')
    dead = true
    const names = ['a.example', 'b.example', 'c.example']
    assert.deepEqual(
      await Promise.all(names.map((each) => resolver.query(each, 'A'))),
      names.map((each) => foundResult(each)),
    )
    assert.equal(connections(server), 2)
  })

  it('that the server has closed is replaced for the next query', async () => {
    const server = await serve(answerAll)
    const resolver = createResolver([server.address], noTimeoutRounds)
    await resolver.query(name, 'A')
    await server.closeConnections()
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
  })

  it('with 65 queries that timed out is replaced for the next query', async () => {
    const server = await serve((query) => (query.name.startsWith('lost') ? [] : [answerTo(query)]))
    const resolver = createResolver([server.address], shortRounds, { silenceTimeoutMs: 60_000 })
    await resolver.query(name, 'A')
    await Promise.all(Array.from({ length: 65 }, (_, n) => resolver.query(`lost${n}.example`, 'A')))
    assert.deepEqual(await resolver.query(name, 'A'), foundResult())
    assert.equal(connections(server), 2)
  })
})

describe('a separate process with a resolver over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-dns-'))
  after(() => rmSync(folder, { recursive: true }))
  const script = (address: string) => `
    import { createResolver } from ${JSON.stringify(new URL('../../../shared/net/resolver.ts', import.meta.url).href)}
    const resolver = createResolver([${JSON.stringify(address)}], undefined, { idleTimeoutMs: 600_000 })
    console.log(JSON.stringify(await resolver.query(${JSON.stringify(name)}, 'A')))`

  it('trusts a private CA only if NODE_EXTRA_CA_CERTS has it, and ends although its connection is open', async () => {
    const server = await serve(answerAll)
    const file = join(folder, 'ca.pem')
    writeFileSync(file, pki.ca)
    const run = (env: Record<string, string>) =>
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', script(server.address)], {
        env: { ...process.env, ...env },
        timeout: 20_000,
      })
    assert.deepEqual(JSON.parse((await run({ NODE_EXTRA_CA_CERTS: file })).stdout), foundResult())
    assert.deepEqual(JSON.parse((await run({})).stdout), failedResult('SELF_SIGNED_CERT_IN_CHAIN'))
  })
})
