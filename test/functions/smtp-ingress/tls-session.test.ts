/**
 * TLS of the whole ingress: resumption of sessions, and the faults that close them. A resumed session shows no new
 * client certificate. Where a certificate could change the decision, the client gets 4yz, and its next session is not
 * resumed.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { after, describe, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { inbound } from '../../support/fixtures.ts'
import { extensionTypes, readHello } from '../../support/hello.ts'
import { startTestIngress, type TestIngress, Wire } from '../../support/ingress/ingress.ts'
import { fingerprintOf, selfSigned } from '../../support/pki.ts'
import { within } from '../../support/within.ts'

/** Milliseconds after which a wait in a test fails. */
const timeoutMs = 10_000

const partner = await selfSigned({ names: ['mail.fabrikam.example'] })
const restricted = (name: string, onViolation: 'Bounce' | 'Defer') =>
  inbound({
    name,
    connectorType: 'Partner',
    senderDomains: [`${name.toLowerCase()}.example`],
    requireTls: true,
    restrictDomainsToCertificate: true,
    certificateFingerprints: [fingerprintOf(partner)],
    onViolation,
  })

const start = () =>
  startTestIngress({
    // The real time: ticket keys depend on its hour.
    at: new Date(),
    acceptedDomains: ['ours.example'],
    inbound: [restricted('Fabrikam', 'Bounce'), restricted('Contoso', 'Defer')],
  })

const ingress = await start()
after(() => ingress.drain())

interface Session {
  wire: Wire
  socket: TLSSocket
  /** The ticket for resumption. */
  ticket(): Promise<Buffer>
}

/** @param from the client's address: an address without a certificate is not asked again for an hour */
async function begin(
  options: ConnectionOptions = {},
  { smtpPort }: TestIngress = ingress,
  from?: string,
): Promise<Session> {
  const wire = await Wire.greet(smtpPort, from)
  await wire.command('STARTTLS')
  const { promise: ticket, resolve } = Promise.withResolvers<Buffer>()
  const handshake = wire.secure(options)
  const socket = await handshake
  socket.on('session', resolve)
  await wire.command('EHLO client.example')
  return { wire, socket, ticket: () => within(timeoutMs, ticket, 'a ticket') }
}

async function sendRcpt({ wire }: Session, from = 'a@fabrikam.example'): Promise<string> {
  await wire.command(`MAIL FROM:<${from}>`)
  return wire.command('RCPT TO:<b@ours.example>')
}

test('a TLS session without a client certificate is resumed, and the resumed session has the TLS facts of the first', async () => {
  const first = await begin()
  const session = await first.ticket()
  const second = await begin({ session })
  assert.deepEqual([first.socket.isSessionReused(), second.socket.isSessionReused()], [false, true])
  for (const { wire } of [first, second]) assert.match(await wire.send('Subject: x\r\n'), /^250 /)
  const [firstFacts, secondFacts] = ingress.queue.jobs.map(({ message }) => message.tls)
  assert.ok(firstFacts?.negotiated)
  assert.deepEqual(secondFacts, firstFacts)
  for (const { wire } of [first, second]) wire.destroy()
})

test('a TLS session with a client certificate is not resumed, so that the client proves the certificate again', async () => {
  const first = await begin(partner, ingress, '127.0.0.21')
  assert.match(await sendRcpt(first), /^250 /)
  const second = await begin({ ...partner, session: await first.ticket() }, ingress, '127.0.0.21')
  assert.equal(second.socket.isSessionReused(), false)
  assert.match(await sendRcpt(second), /^250 /)
  for (const { wire } of [first, second]) wire.destroy()
})

test('a client that resumes a session without its certificate gets 451 from a connector that requires it, and a full handshake next time', async () => {
  const session = await (await begin({}, ingress, '127.0.0.22')).ticket()
  const early = await begin({ ...partner, session }, ingress, '127.0.0.22')
  assert.equal(early.socket.isSessionReused(), true)
  assert.match(await sendRcpt(early), /^4\d1 4\.7\.0 /, 'temporary')
  const next = await begin({ ...partner, session }, ingress, '127.0.0.22')
  assert.equal(next.socket.isSessionReused(), false)
  assert.match(await sendRcpt(next), /^250 /)
})

test('in a resumed session, mail that a connector would hold for lack of a certificate gets 451', async (t) => {
  const secondIngress = await start()
  t.after(() => secondIngress.drain())
  const withoutCertificate = await begin({}, secondIngress)
  assert.match(await sendRcpt(withoutCertificate, 'a@contoso.example'), /^250 /, 'accepted and held')
  const resumed = await begin({ session: await withoutCertificate.ticket() }, secondIngress)
  assert.equal(resumed.socket.isSessionReused(), true)
  assert.match(await sendRcpt(resumed, 'a@contoso.example'), /^4\d1 4\.7\.0 /)
  withoutCertificate.wire.destroy()
})

test('in a resumed session, a recipient gets 451 only if a certificate could change the decision', async (t) => {
  const secondIngress = await start()
  t.after(() => secondIngress.drain())
  const resumed = await begin({ session: await (await begin({}, secondIngress)).ticket() }, secondIngress)
  assert.equal(resumed.socket.isSessionReused(), true)
  await resumed.wire.command('MAIL FROM:<a@unknown.example>')
  assert.match(await resumed.wire.command('RCPT TO:<b@[192.0.2.1]>'), /^550 5\.1\.2 /)
  assert.match(await resumed.wire.command('RCPT TO:<b@ours.example>'), /^250 /)
  assert.match(await resumed.wire.command('RCPT TO:<b@elsewhere.example>'), /^4\d1 4\.7\.0 /)
})

test('a handshake succeeds when the ClientHello arrives octet by octet', async () => {
  const { socket, tcp } = await connectTapped((octets, write) => {
    for (const octet of octets) write(Buffer.of(octet))
  })
  assert.equal(socket.getProtocol(), 'TLSv1.3')
  tcp.destroy()
})

describe('after the handshake, the ingress closes the connection when the client sends', {
  concurrency: true,
}, () => {
  const invalidOctets: [name: string, octets: Buffer][] = [
    ['a record that is not encrypted', Buffer.from([23, 3, 3, 0, 32, ...Buffer.alloc(32, 7)])],
    ['a command in the clear', Buffer.from('RSET\r\n')],
    ['a fatal alert in the clear', Buffer.from([21, 3, 3, 0, 2, 2, 80])],
  ]
  for (const [name, octets] of invalidOctets)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
      test(`${name}, in ${maxVersion}`, async () => {
        const { tcp } = await connectTapped(undefined, { maxVersion })
        tcp.write(octets)
        await within(timeoutMs, once(tcp, 'close'), 'the end of the connection')
      })
})

test('renegotiation in TLS 1.2 is refused', async () => {
  const session = await begin({ maxVersion: 'TLSv1.2' })
  const { socket } = session
  const { promise, resolve } = Promise.withResolvers<Error | null>()
  socket.renegotiate({}, resolve)
  socket.once('error', resolve)
  assert.match(String(await within(timeoutMs, promise, 'a refusal')), /no.renegotiation/i)
  session.wire.destroy()
})

/** OpenSSL's SSL_OP_NO_EXTENDED_MASTER_SECRET, which Node does not name. */
const noExtendedMasterSecret = 1

const masterSecrets: [name: string, client: ConnectionOptions, isExtended: boolean][] = [
  ['a TLS 1.2 client with the extended master secret gets it', {}, true],
  [
    'a TLS 1.2 client without the extended master secret is served without it',
    { secureOptions: noExtendedMasterSecret },
    false,
  ],
]
for (const [name, client, isExtended] of masterSecrets)
  test(`${name}, without compression, with secure renegotiation and without a ticket`, async () => {
    const { socket, tcp, received } = await connectTapped(undefined, { maxVersion: 'TLSv1.2', ...client })
    const { compressionMethods, extensions } = readHello(received())
    tcp.destroy()
    assert.equal(socket.getProtocol(), 'TLSv1.2')
    assert.equal(extensions.has(extensionTypes.extendedMasterSecret), isExtended)
    assert.deepEqual(compressionMethods, [0])
    assert.ok(extensions.has(extensionTypes.renegotiationInfo))
    assert.equal(extensions.has(extensionTypes.sessionTicket), false)
  })

/**
 * Starts TLS over a TCP connection that the test controls.
 * @param pass writes the client's octets; default: all in one write
 */
async function connectTapped(
  pass?: (octets: Buffer, write: (octets: Buffer) => void) => void,
  options: ConnectionOptions = {},
): Promise<{ socket: TLSSocket; tcp: Socket; received(): Buffer }> {
  const tcp = connectTcp(ingress.smtpPort, '127.0.0.1').setNoDelay(true)
  tcp.on('error', () => {})
  for (const line of ['EHLO client.example', 'STARTTLS']) {
    await replyOn(tcp)
    tcp.write(`${line}\r\n`)
  }
  await replyOn(tcp)
  const [near, far] = duplexPair()
  const write = (octets: Buffer) => void tcp.write(octets)
  far.on('data', (octets) => (pass ? pass(octets, write) : write(octets)))
  const received: Buffer[] = []
  tcp.on('data', (octets) => {
    received.push(octets)
    far.write(octets)
  })
  const socket = connect({ socket: near, rejectUnauthorized: false, ...options }).on('error', () => {})
  await within(timeoutMs, once(socket, 'secureConnect'), 'the end of the handshake')
  return { socket, tcp, received: () => Buffer.concat(received) }
}

/** Waits for a whole reply. */
async function replyOn(tcp: Socket): Promise<void> {
  for (let read = ''; !/^\d{3} .*\r\n$/m.test(read); )
    read += (await within(timeoutMs, once(tcp, 'data'), 'a reply'))[0]
}
