/** A connection between a real client and a session policy that accepts everything: limiter, timeouts, reading, TLS. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { connect as connectTls, createSecureContext } from 'node:tls'
import {
  Connection,
  type ConnectionParts,
  type ConnectionPolicy,
} from '../../../../functions/smtp-ingress/connection/connection.ts'
import { HandshakeCosts } from '../../../../functions/smtp-ingress/limits/handshake-costs.ts'
import { KnownSenders } from '../../../../functions/smtp-ingress/limits/known-senders.ts'
import { type Refusal, tooManySessions, unknownTlsFacts } from '../../../../functions/smtp-ingress/replies.ts'
import { reply } from '../../../../shared/mail/reply.ts'
import { selfSigned } from '../../../support/pki.ts'
import { within } from '../../../support/within.ts'

const ok = reply(250, '2.0.0', 'Ok')
const acceptingPolicy: ConnectionPolicy = {
  isAttributed: false,
  checkGreeting: () => null,
  checkTlsSession: () => null,
  recordHandshakeError() {},
  recordConnectionError() {},
  mail: () => ok,
  recipient: () => ok,
  data: () => ok,
  recordRefusal() {},
  recordError() {},
}

/** A connection limiter whose decision the test sets. */
class FakeLimiter {
  admitted = 0
  released = 0
  refusal: Refusal | null = null

  admit(): Refusal | null {
    this.admitted++
    return this.refusal
  }

  release(): void {
    this.released++
  }

  sessionsOf(): number {
    return this.admitted - this.released
  }
}

/** Milliseconds after which a wait in a test fails. */
const timeoutMs = 10_000

const servers = new Set<Server>()
const sockets = new Set<Socket>()
after(() => {
  for (const server of servers) server.close()
  for (const socket of sockets) socket.destroy()
})

interface ServedConnection {
  connection: Connection
  /** The server side. */
  socket: Socket
  client: Socket
  limiter: FakeLimiter
  /** Resolves when the connection is closed. */
  ended(): Promise<void>
}

async function serve(
  limiter = new FakeLimiter(),
  isProxy = false,
  tls: Partial<ConnectionParts['tls']> = {},
  policyOverrides: Partial<ConnectionPolicy> = {},
): Promise<ServedConnection> {
  const { promise: closed, resolve: close } = Promise.withResolvers<void>()
  const parts: ConnectionParts = {
    sessionOptions: {
      hostname: 'mx.ours.example',
      maxMessageOctets: 1_000_000,
      maxRecipients: 100,
      maxErrors: 20,
      maxIdleCommands: 100,
      maxLineOctets: 65_536,
      bareNewlines: 'Refuse',
      envelopeSyntax: 'Lenient',
    },
    tls: tls as ConnectionParts['tls'],
    connectionLimiter: limiter,
    handshakeCosts: new HandshakeCosts(),
    knownSenders: new KnownSenders(),
    isTrustedProxy: () => isProxy,
    createSessionPolicy: () => ({ ...acceptingPolicy, ...policyOverrides }),
    log() {},
    onEnd() {},
    onClose: () => close(),
  }
  const server = createServer({ allowHalfOpen: true })
  servers.add(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const connectionEvent = once(server, 'connection') as Promise<[Socket]>
  const { port } = server.address() as { port: number }
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  client.on('error', () => {})
  const [socket] = await connectionEvent
  for (const end of [client, socket]) sockets.add(end)
  const connection = new Connection(socket, parts)
  connection.start()
  const ended = () => within(timeoutMs, closed, 'the end of the connection')
  return { connection, socket, client, limiter, ended }
}

async function read(client: Socket): Promise<string> {
  const [octets] = await within(timeoutMs, once(client, 'data'), 'octets from the server')
  return String(octets)
}

function tickSeconds(seconds: number, connection: Connection): void {
  for (let second = 0; second < seconds; second++) connection.tick()
}

/** Writes until the server stops reading from a client that does not read. */
function fillUntilPaused(connection: Connection, socket: Socket): void {
  for (let megabytes = 0; !socket.isPaused(); megabytes++) {
    assert.ok(megabytes < 100, 'the server stops reading')
    connection.write('x'.repeat(1_000_000))
  }
}

const clientEndings: [description: string, endClient: (client: Socket) => void][] = [
  ['that sends QUIT and closes', (client) => client.end('QUIT\r\n')],
  ['that closes without QUIT', (client) => client.end()],
  ['that is reset', (client) => client.resetAndDestroy()],
]
for (const [description, endClient] of clientEndings)
  test(`a session ${description} is released once from the connection limiter`, async () => {
    const { client, limiter, ended } = await serve()
    assert.match(await read(client), /^220 /)
    endClient(client)
    client.resume()
    await ended()
    assert.deepEqual([limiter.admitted, limiter.released], [1, 1])
  })

test('a client that gets 421 is released from the connection limiter before it closes the connection', async () => {
  const { client, limiter } = await serve()
  client.write('EHLO client.example\r\n')
  assert.match(await read(client), /^421 4\.5\.1 /)
  assert.deepEqual([limiter.admitted, limiter.released], [1, 1])
  client.destroy()
})

test('a client that the connection limiter refused is not released from it', async () => {
  const limiter = new FakeLimiter()
  limiter.refusal = tooManySessions
  const { client, ended } = await serve(limiter)
  assert.match(await read(client), /^421 4\.3\.2 /)
  client.destroy()
  await ended()
  assert.deepEqual([limiter.admitted, limiter.released], [1, 0])
})

test('a connection without its PROXY protocol header is closed after ten seconds', async () => {
  const { connection, socket, ended } = await serve(new FakeLimiter(), true)
  tickSeconds(9, connection)
  assert.equal(socket.destroyed, false)
  tickSeconds(1, connection)
  await ended()
})

test('a connection that still lacks its PROXY protocol header closes immediately when the server drains', async () => {
  const { connection, ended } = await serve(new FakeLimiter(), true)
  connection.drain()
  await ended()
})

test('a client that stays after its session is disconnected after ten seconds', async () => {
  const { connection, socket, client, ended } = await serve()
  await read(client)
  client.write('QUIT\r\n')
  assert.match(await read(client), /^221 /)
  tickSeconds(10, connection)
  assert.equal(socket.destroyed, false)
  tickSeconds(1, connection)
  await ended()
})

test('the server does not read from a client that does not read, and disconnects the client after five minutes', async () => {
  const { connection, socket, client, ended } = await serve()
  await read(client)
  client.pause()
  fillUntilPaused(connection, socket)
  connection.pauseReading()
  connection.resumeReading()
  assert.equal(socket.isPaused(), true)
  tickSeconds(299, connection)
  assert.equal(socket.destroyed, false)
  tickSeconds(1, connection)
  await ended()
})

test('the server reads again from a client when the client reads again', async () => {
  const { connection, socket, client } = await serve()
  await read(client)
  client.pause()
  fillUntilPaused(connection, socket)
  tickSeconds(299, connection)
  const drainEvent = within(timeoutMs, once(socket, 'drain'), 'drain')
  client.resume()
  await drainEvent
  assert.equal(socket.isPaused(), false)
  tickSeconds(299, connection)
  assert.equal(socket.destroyed, false)
  client.destroy()
})

test('a client that stops reading for the second time gets five minutes again', async () => {
  const { connection, socket, client, ended } = await serve()
  await read(client)
  for (let times = 0; times < 2; times++) {
    client.pause()
    fillUntilPaused(connection, socket)
    tickSeconds(299, connection)
    assert.equal(socket.destroyed, false)
    if (times > 0) break
    const drainEvent = within(timeoutMs, once(socket, 'drain'), 'drain')
    client.resume()
    await drainEvent
    tickSeconds(1, connection)
  }
  tickSeconds(1, connection)
  await ended()
})

test('the server does not read from a client while pauseReading is in effect, and reads again when the session ends', async () => {
  const { connection, socket, client } = await serve()
  await read(client)
  connection.pauseReading()
  assert.equal(socket.isPaused(), true)
  connection.end()
  assert.equal(socket.isPaused(), false)
  client.destroy()
})

async function startTls(servedConnection: ServedConnection): Promise<void> {
  const { client } = servedConnection
  await read(client)
  client.write('EHLO client.example\r\n')
  await read(client)
  client.write('STARTTLS\r\n')
  assert.match(await read(client), /^220 /)
}

test('a client that sent STARTTLS and no ClientHello is disconnected when the server drains', async () => {
  const servedConnection = await serve()
  await startTls(servedConnection)
  servedConnection.connection.drain()
  await servedConnection.ended()
})

test('a client whose handshake is running when the server drains gets 421 under TLS', async () => {
  const { cert, key } = await selfSigned({ names: ['mx.ours.example'] })
  const servedConnection = await serve(new FakeLimiter(), false, {
    contextForHello() {
      queueMicrotask(() => servedConnection.connection.drain())
      return createSecureContext({ cert, key })
    },
  })
  await startTls(servedConnection)
  const tls = connectTls({ socket: servedConnection.client, rejectUnauthorized: false })
  assert.equal(await read(tls), '421 4.3.2 Service shutting down, try again later\r\n')
  tls.destroy()
})

test('an exception while choosing a TLS context closes only that connection', async () => {
  const servedConnection = await serve(new FakeLimiter(), false, {
    contextForHello() {
      throw new Error('internal')
    },
  })
  await startTls(servedConnection)
  servedConnection.client.write(Buffer.from([22, 3, 1]))
  await servedConnection.ended()
  assert.deepEqual([servedConnection.limiter.admitted, servedConnection.limiter.released], [1, 1])
})

test('a session whose policy refuses the TLS session ends with 421 under TLS', async () => {
  const { cert, key } = await selfSigned({ names: ['mx.ours.example'] })
  const contextForHello = () => createSecureContext({ cert, key })
  const checkTlsSession = () => unknownTlsFacts
  const servedConnection = await serve(new FakeLimiter(), false, { contextForHello }, { checkTlsSession })
  await startTls(servedConnection)
  const tls = connectTls({ socket: servedConnection.client, rejectUnauthorized: false })
  assert.equal(await read(tls), '421 4.7.0 TLS session cannot be used, connect again\r\n')
  await within(timeoutMs, once(tls, 'end'), 'the end of the session')
  assert.equal(servedConnection.limiter.released, 1)
  tls.destroy()
})
