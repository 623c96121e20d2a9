/** Results of real handshakes, with sockets made as in the ingress. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createPrivateKey, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { after, test } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import { readClientHello } from '../../../../functions/smtp-ingress/tls/client-hello.ts'
import {
  deriveTicketKeys,
  holdsCertificate,
  openTicket,
  periodOf,
  ticketPeriodMs,
} from '../../../../functions/smtp-ingress/tls/session-tickets.ts'
import {
  createTlsService,
  handshakeFailure,
  type TlsService,
} from '../../../../functions/smtp-ingress/tls/tls-service.ts'
import { type HandshakeResult, startTlsServer, type TlsServer } from '../../../support/ingress/tls-server.ts'
import { createPki, daysFromNow, type Identity } from '../../../support/pki.ts'
import { firstLine } from '../../../support/process.ts'
import { within } from '../../../support/within.ts'

const pki = await createPki()
const [ec, rsa, unrelated] = await Promise.all([
  pki.issue({ names: ['mx.ours.example'], commonName: 'ec' }),
  pki.issue({ names: ['mx.ours.example'], commonName: 'rsa', rsa: true }),
  (await createPki('Elsewhere')).issue({ names: ['mail.contoso.example'] }),
])
const intermediate = await pki.subordinate('Intermediate')
const partner = await intermediate.issue({ names: ['mail.fabrikam.example'] })

let clock = new Date()
const bothCertificates = { privateKey: `${ec.key}\n${rsa.key}`, certificate: `${rsa.cert}\n${ec.cert}` }
const options = { ...bothCertificates, now: () => clock, publicRoots: [pki.ca] }
const server = await startTlsServer(createTlsService(options))
after(() => server.close())

/** Resolves when the socket is closed, for any reason. */
const waitForClose = (socket: Socket) =>
  within(
    10_000,
    new Promise<void>((resolve) => socket.once('close', () => resolve())),
    'the end of the connection',
  )

interface Outcome {
  /** Subject of the server's certificate. */
  presented: string
  /** The group of the key exchange. */
  group: string | undefined
  observed: HandshakeResult
  /** The last ticket. */
  session: Buffer | undefined
}

async function handshake(client: ConnectionOptions = {}, { port, next } = server): Promise<Outcome> {
  let session: Buffer | undefined
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: 'mx.ours.example',
    rejectUnauthorized: false,
    ...client,
  })
  socket.on('session', (ticket) => {
    session = ticket
  })
  socket.on('error', () => {})
  let presented = ''
  let group: string | undefined
  socket.on('secureConnect', () => {
    presented = socket.getPeerX509Certificate()?.subject ?? ''
    group = (socket.getEphemeralKeyInfo() as { name?: string } | null)?.name
  })
  socket.resume()
  await waitForClose(socket)
  return { presented, group, observed: await next(), session }
}

const factsOf = ({ observed }: Outcome) => {
  assert.ok(observed.kind === 'Facts', `no facts: ${JSON.stringify(observed)}`)
  return observed
}
const resumed = (outcome: Outcome) => factsOf(outcome).resumed
const ticketOf = ({ session }: Outcome): Buffer => {
  assert.ok(session, 'no ticket arrived')
  return session
}

const clientKinds: [name: string, client: ConnectionOptions, presented: string][] = [
  ['a TLS 1.3 client that supports RSA only', { sigalgs: 'RSA-PSS+SHA256' }, 'CN=rsa'],
  [
    'a TLS 1.2 client that supports RSA only',
    { sigalgs: 'RSA+SHA256:RSA-PSS+SHA256', maxVersion: 'TLSv1.2' },
    'CN=rsa',
  ],
  ['a TLS 1.3 client that supports ECDSA only', { sigalgs: 'ECDSA+SHA256' }, 'CN=ec'],
  ['a TLS 1.2 client that supports ECDSA only', { sigalgs: 'ECDSA+SHA256', maxVersion: 'TLSv1.2' }, 'CN=ec'],
  ['a TLS 1.3 client that supports RSA and ECDSA', {}, 'CN=ec'],
  ['a TLS 1.2 client that supports RSA and ECDSA', { maxVersion: 'TLSv1.2' }, 'CN=ec'],
]

for (const [name, client, presented] of clientKinds)
  test(`${name} is presented the certificate ${presented}`, async () => {
    assert.equal((await handshake(client)).presented, presented)
  })

test('a TLS session without a client certificate is resumed, with the facts of its first handshake', async () => {
  const first = await handshake()
  const second = await handshake({ session: ticketOf(first) })
  assert.deepEqual([resumed(first), resumed(second)], [false, true])
  assert.deepEqual(factsOf(second).facts, factsOf(first).facts)
  assert.equal(factsOf(second).facts.serverName, 'mx.ours.example')
  assert.equal(second.group, 'X25519MLKEM768', 'a resumed session has its own key exchange')
})

test('a TLS 1.2 session is not resumed', async () => {
  const modern = await handshake()
  const first = await handshake({ maxVersion: 'TLSv1.2' })
  // Without a ticket, `first.session` is Node's serialised session, which the server does not know any more.
  const second = await handshake({ maxVersion: 'TLSv1.2', session: first.session ?? ticketOf(modern) })
  assert.deepEqual([resumed(first), resumed(second)], [false, false])
})

for (const [name, client] of [
  ['a trusted client certificate', partner],
  ['an untrusted client certificate', unrelated],
] as [string, Identity][])
  test(`a session with ${name} is never resumed`, async () => {
    const first = await handshake(client)
    let session = ticketOf(first)
    for (let times = 0; times < 4; times++) {
      const next = await handshake({ ...client, session })
      assert.equal(resumed(next), false)
      assert.deepEqual(factsOf(next).facts, factsOf(first).facts)
      session = ticketOf(next)
    }
  })

test('the facts of a session state whether OpenSSL trusts the client certificate with its presented chain, or why not', async () => {
  const { facts } = factsOf(await handshake(partner))
  assert.deepEqual(
    [
      facts.clientCertificate?.trusted,
      facts.clientCertificate?.trustError,
      facts.clientCertificate?.chain.length,
    ],
    [true, null, 2],
  )
  const untrustedCertificate = factsOf(await handshake(unrelated)).facts.clientCertificate
  assert.deepEqual(
    [untrustedCertificate?.trusted, untrustedCertificate?.trustError],
    [false, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  )
  const expired = await pki.issue({
    names: ['old.example'],
    notBefore: daysFromNow(-9),
    notAfter: daysFromNow(-1),
  })
  const expiredCertificate = factsOf(await handshake(expired)).facts.clientCertificate
  assert.deepEqual([expiredCertificate?.trusted, expiredCertificate?.trustError], [false, 'CERT_HAS_EXPIRED'])
})

test('a client without certificate that presents the ticket of a client with one gets a full handshake', async () => {
  const session = ticketOf(await handshake(partner))
  const otherClient = await handshake({ session })
  assert.deepEqual([resumed(otherClient), factsOf(otherClient).facts.clientCertificate], [false, null])
})

test('a session with a client certificate that was resumed nevertheless has no facts', async (t) => {
  // A service that does not see the tickets in the ClientHello.
  const service = createTlsService(options)
  const unguardedServer = await startTlsServer({
    ...bindService(service),
    contextForHello: () => service.contextForHello(helloWithoutTickets, '192.0.2.1'),
  })
  t.after(() => unguardedServer.close())
  const first = await handshake(partner, unguardedServer)
  const second = await handshake({ session: ticketOf(first) }, unguardedServer)
  assert.deepEqual(second.observed, {
    kind: 'NoFacts',
    why: 'a session with a client certificate was resumed',
  })
})

test('a ticket of the previous hour leads to a full handshake and a new ticket', async () => {
  clock = new Date((periodOf(new Date()) + 1) * ticketPeriodMs - 1)
  const first = await handshake()
  assert.equal(resumed(await handshake({ session: ticketOf(first) })), true)
  clock = new Date(clock.getTime() + 1)
  const second = await handshake({ session: ticketOf(first) })
  const third = await handshake({ session: ticketOf(second) })
  assert.deepEqual([resumed(second), resumed(third)], [false, true])
  clock = new Date()
})

test('refuseResumption causes full handshakes for one address for a day', async (t) => {
  const service = createTlsService(options)
  const testServer = await startTlsServer(service)
  t.after(() => testServer.close())
  const session = ticketOf(await handshake({}, testServer))
  service.refuseResumption('192.0.2.1')
  assert.equal(resumed(await handshake({ session }, testServer)), true)
  service.refuseResumption('127.0.0.1')
  const fullHandshake = await handshake({ session }, testServer)
  assert.equal(resumed(fullHandshake), false)
  assert.equal(resumed(await handshake({ session: ticketOf(fullHandshake) }, testServer)), false)
  clock = new Date(clock.getTime() + 86_400_000)
  const after = await handshake({}, testServer)
  assert.equal(resumed(await handshake({ session: ticketOf(after) }, testServer)), true)
  clock = new Date()
})

test('refuseResumption stores at most 10,000 addresses, and forgets the oldest', async () => {
  const service = createTlsService(options)
  service.refuseResumption('127.0.0.1')
  const fullContext = service.fullContext()
  assert.equal(service.contextForHello(helloWithoutTickets, '127.0.0.1'), fullContext)
  for (let number = 0; number < 10_000; number++) service.refuseResumption(`2001:db8::${number}`)
  assert.notEqual(service.contextForHello(helloWithoutTickets, '127.0.0.1'), fullContext)
  assert.equal(service.contextForHello(helloWithoutTickets, '2001:db8::0'), fullContext)
})

test('refuseResumption for the same address again begins a new day, and the address is no longer the oldest', () => {
  const begin = Date.now()
  let at = begin
  const service = createTlsService({ ...options, now: () => new Date(at) })
  const isRefused = () => service.contextForHello(helloWithoutTickets, '192.0.2.1') === service.fullContext()
  service.refuseResumption('192.0.2.1')
  for (let number = 1; number < 10_000; number++) service.refuseResumption(`2001:db8::${number}`)
  at = begin + 43_200_000
  service.refuseResumption('192.0.2.1')
  service.refuseResumption('2001:db8::')
  at = begin + 43_200_000 + 86_399_999
  assert.equal(isRefused(), true)
  at++
  assert.equal(isRefused(), false)
})

test('after use() new sessions get the new certificate, and an old ticket leads to a full handshake', async (t) => {
  const oldCertificate = { privateKey: ec.key, certificate: ec.cert }
  const service = createTlsService({ ...options, ...oldCertificate })
  const testServer = await startTlsServer(service)
  t.after(() => testServer.close())
  const renewed = await pki.issue({
    names: ['mx.ours.example'],
    commonName: 'renewed',
    notAfter: daysFromNow(9),
  })
  const first = await handshake({}, testServer)
  service.use({ privateKey: renewed.key, certificate: renewed.cert })
  const second = await handshake({ session: ticketOf(first) }, testServer)
  assert.deepEqual([second.presented, resumed(second)], ['CN=renewed', false])
  assert.equal(resumed(await handshake({ session: ticketOf(second) }, testServer)), true)
  assert.ok(Math.abs(service.expiresAt.getTime() - daysFromNow(9).getTime()) < 5000)
})

test('use() throws for unusable certificates and keeps the old ones; it does not end refuseResumption', async (t) => {
  const service = createTlsService({ ...options, privateKey: ec.key, certificate: ec.cert })
  const testServer = await startTlsServer(service)
  t.after(() => testServer.close())
  service.refuseResumption('127.0.0.1')
  assert.throws(
    () => service.use({ privateKey: rsa.key, certificate: ec.cert }),
    /no certificate matches key 1/,
  )
  assert.equal((await handshake({}, testServer)).presented, 'CN=ec')
  service.use(bothCertificates)
  const first = await handshake({}, testServer)
  assert.equal(resumed(await handshake({ session: ticketOf(first) }, testServer)), false)
})

test('a process resumes a session of another process with the same private keys, and of no process with other keys', async () => {
  const environment = {
    TLS_PRIVATE_KEY: bothCertificates.privateKey,
    TLS_CERTIFICATE: bothCertificates.certificate,
  }
  const [firstProcess, secondProcess] = await Promise.all([
    startProcess(environment),
    startProcess(environment),
  ])
  const unrelated = await startProcess({ TLS_PRIVATE_KEY: ec.key, TLS_CERTIFICATE: ec.cert })
  try {
    // Tries twice, because a new hour, and with it new ticket keys, may begin during one try.
    const tries = [
      await acrossProcesses(firstProcess.port, secondProcess.port),
      await acrossProcesses(secondProcess.port, firstProcess.port),
    ]
    assert.ok(tries.includes(true))
    assert.equal(await acrossProcesses(firstProcess.port, unrelated.port), false)
  } finally {
    for (const { child } of [firstProcess, secondProcess, unrelated]) child.kill('SIGKILL')
  }
})

async function startProcess(environment: Record<string, string>) {
  const script = new URL('../../../support/ingress/tls-server.ts', import.meta.url).pathname
  const child: ChildProcess = spawn(process.execPath, [script], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return { child, port: Number(await firstLine(child)) }
}

/** @returns whether the second server resumed the session of the first */
async function acrossProcesses(first: number, second: number): Promise<boolean> {
  const firstClient = connect({ port: first, host: '127.0.0.1', rejectUnauthorized: false })
  let session: Buffer | undefined
  firstClient.on('session', (ticket) => {
    session = ticket
  })
  await waitForClose(firstClient.resume())
  assert.ok(session)
  const secondClient = connect({ port: second, host: '127.0.0.1', rejectUnauthorized: false, session })
  await within(10_000, once(secondClient, 'secureConnect'), 'the end of the handshake')
  const isReused = secondClient.isSessionReused()
  secondClient.destroy()
  return isReused
}

test('ticket keys depend on the private keys and the hour only', () => {
  const keys = deriveTicketKeys([ec.key], 1)
  assert.equal(keys.length, 48)
  assert.deepEqual(deriveTicketKeys([ec.key], 1), keys)
  const pkcs1 = createPrivateKey(rsa.key).export({ type: 'pkcs1', format: 'pem' }).toString()
  assert.deepEqual(deriveTicketKeys([pkcs1], 1), deriveTicketKeys([rsa.key], 1))
  for (const otherKeys of [
    deriveTicketKeys([ec.key], 2),
    deriveTicketKeys([rsa.key], 1),
    deriveTicketKeys([ec.key, rsa.key], 1),
  ])
    for (const part of [0, 16, 32])
      assert.notDeepEqual(otherKeys.subarray(part, part + 16), keys.subarray(part, part + 16))
})

test('openTicket opens a ticket, but none that was changed or cut', async () => {
  const keys = deriveTicketKeys([ec.key, rsa.key].sort(), periodOf(clock))
  const ticket = await ticketIn(ticketOf(await handshake(partner)))
  const session = openTicket(ticket, keys)
  assert.ok(session)
  assert.equal(holdsCertificate(session), true)
  const bare = openTicket(await ticketIn(ticketOf(await handshake())), keys)
  assert.ok(bare)
  assert.equal(holdsCertificate(bare), false)
  for (let at = 0; at < ticket.length; at++) {
    const changed = Buffer.from(ticket)
    changed[at] = (changed[at] as number) ^ 1
    assert.equal(openTicket(changed, keys), null)
    assert.equal(openTicket(ticket.subarray(0, at), keys), null)
  }
})

test('holdsCertificate returns true for an unreadable session', () => {
  for (const hex of ['', '30', '3003020101a3', '3080', '3084ffffffff', '020101', '3005a30001'])
    assert.equal(holdsCertificate(Buffer.from(hex, 'hex')), true, hex)
  assert.equal(holdsCertificate(Buffer.from('3003020101', 'hex')), false)
  for (let times = 0; times < 500; times++) holdsCertificate(randomBytes(times))
})

/** The ticket as the client sends it. */
async function ticketIn(session: Buffer): Promise<Buffer> {
  const hello = readClientHello(await helloOf({ session, servername: 'mx.ours.example' }))
  assert.ok(typeof hello === 'object')
  assert.equal(hello.tickets.length, 1)
  return hello.tickets[0] as Buffer
}

const bindService = (service: TlsService): TlsService => ({
  fullContext: () => service.fullContext(),
  contextForHello: service.contextForHello.bind(service),
  refuseResumption: service.refuseResumption.bind(service),
  facts: service.facts.bind(service),
  expiresAt: service.expiresAt,
  use: service.use.bind(service),
})

/** The first octets of Node's client. */
async function helloOf(client: ConnectionOptions): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  const wire = new Duplex({ read() {}, write: resolve })
  const socket = connect({ socket: wire, rejectUnauthorized: false, ...client }).on('error', () => {})
  const hello = await promise
  socket.destroy()
  return hello
}

const [helloWithoutTickets, olderHello] = await Promise.all([helloOf({}), helloOf({ maxVersion: 'TLSv1.2' })])

test('contextForHello returns null until the ClientHello is complete, and the full context for TLS 1.2', () => {
  const service = createTlsService(options)
  for (let length = 0; length < helloWithoutTickets.length; length++)
    assert.equal(service.contextForHello(helloWithoutTickets.subarray(0, length), ''), null)
  assert.notEqual(service.contextForHello(helloWithoutTickets, ''), null)
  assert.equal(service.contextForHello(Buffer.from('EHLO mail.example\r\n'), ''), service.fullContext())
  assert.equal(service.contextForHello(olderHello, ''), service.fullContext())
})

test('contextForHello does not throw for a ClientHello with a changed octet', async () => {
  const service = createTlsService(options)
  const hello = await helloOf({ session: ticketOf(await handshake(partner)), servername: 'mx.ours.example' })
  assert.equal(service.contextForHello(hello, ''), service.fullContext())
  for (let at = 0; at < hello.length; at++)
    for (const octet of [0, 0xff]) {
      const changed = Buffer.from(hello)
      changed[at] = octet
      assert.doesNotThrow(() => service.contextForHello(changed, ''))
    }
})

const failures: [name: string, cause: string, runClient: (server: TlsServer) => Promise<unknown>][] = [
  [
    'a client with TLS 1.1 only',
    'OldProtocol',
    tls({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
  ],
  [
    'a client with CBC cipher suites only',
    'NoSharedCipher',
    tls({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' }),
  ],
  [
    'a client with static RSA only',
    'NoSharedCipher',
    tls({ maxVersion: 'TLSv1.2', ciphers: 'AES256-GCM-SHA384' }),
  ],
  ['an unsupported TLS 1.3 cipher', 'NoSharedCipher', tls({ ciphers: 'TLS_AES_128_CCM_SHA256' })],
  ['an unsupported group', 'NoSharedCipher', tls({ ecdhCurve: 'P-521' })],
  ['an unsupported signature algorithm', 'NoSharedCipher', tls({ sigalgs: 'ed25519' })],
  ['an HTTP request', 'NotTls', raw((client) => client.write('GET / HTTP/1.1\r\n\r\n'))],
  ['an SMTP command', 'NotTls', raw((client) => client.write('EHLO mail.example\r\n'))],
  ['600 octets of zero', 'NotTls', raw((client) => client.write(Buffer.alloc(600)))],
  ['a too long record', 'NotTls', raw((client) => client.write(record(0xffff, [1, 0, 0x20, 0], 70_000)))],
  ['an empty ClientHello', 'NotTls', raw((client) => client.write(record(10, [1, 0, 0, 6], 6)))],
  ['a client that closes without an octet', 'Closed', raw((client) => client.end())],
  [
    'a client that closes within its ClientHello',
    'Closed',
    raw((client) => client.end(helloWithoutTickets.subarray(0, 99))),
  ],
  ['a client that closes after its ClientHello', 'Closed', raw((client) => client.end(helloWithoutTickets))],
  ['the alert unknown_ca', 'CertificateRefused', afterServerHello(alert(48))],
  ['the alert bad_certificate', 'CertificateRefused', afterServerHello(alert(42))],
  ['the alert certificate_expired', 'CertificateRefused', afterServerHello(alert(45))],
  ['the alert internal_error', 'Alert', afterServerHello(alert(80))],
]

for (const [name, cause, runClient] of failures)
  test(`a handshake that fails because of ${name} is counted as ${cause}`, async (t) => {
    const testServer = await startTlsServer(createTlsService(options))
    t.after(() => testServer.close())
    await runClient(testServer)
    const observed = await testServer.next()
    assert.deepEqual(
      [observed.kind, 'cause' in observed && observed.cause],
      ['Failed', cause],
      JSON.stringify(observed),
    )
  })

test('handshakeFailure returns the cause for the codes of a reset, a timeout, an unknown error and an old version', () => {
  const coded = (code: string) => Object.assign(new Error('x'), { code })
  for (const [code, cause] of [
    ['ECONNRESET', 'Closed'],
    ['ETIMEDOUT', 'TimedOut'],
    ['ERR_SSL_INTERNAL_ERROR', 'Other'],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'OldProtocol'],
  ] as const)
    assert.equal(handshakeFailure(coded(code)), cause)
})

function tls(client: ConnectionOptions) {
  return ({ port }: TlsServer) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...client })
    return waitForClose(socket.on('error', () => {}))
  }
}

function raw(runClient: (client: Socket) => unknown) {
  return async ({ port }: TlsServer) => {
    const client = connectTcp(port, '127.0.0.1').on('error', () => {})
    await once(client, 'connect')
    runClient(client)
    client.resume()
    await waitForClose(client)
  }
}

/** A TLS 1.2 client that sends these octets after the server's certificate. */
function afterServerHello(octets: Buffer) {
  return raw((client) => {
    client.write(olderHello)
    client.once('data', () => client.end(octets))
  })
}

function alert(description: number): Buffer {
  return Buffer.from([21, 3, 3, 0, 2, 2, description])
}

/** A TLS record. @param length as stated in its header @param zeros number of zeros after the first octets */
function record(length: number, first: number[], zeros: number): Buffer {
  return Buffer.concat([Buffer.from([22, 3, 1, length >> 8, length & 255, ...first]), Buffer.alloc(zeros)])
}
