/** The open connections of MailServer: their number, their maximum, and which it closes for new connections. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { ConnectionPolicy } from '../../../../functions/smtp-ingress/connection/connection.ts'
import { MailServer } from '../../../../functions/smtp-ingress/connection/mail-server.ts'
import { HandshakeCosts } from '../../../../functions/smtp-ingress/limits/handshake-costs.ts'
import { KnownSenders } from '../../../../functions/smtp-ingress/limits/known-senders.ts'
import { tooManySessions } from '../../../../functions/smtp-ingress/replies.ts'
import { reply } from '../../../../shared/mail/reply.ts'
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

async function startServer(context: TestContext, { maxConnections = 100, isFull = false } = {}) {
  const server = new MailServer({
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
    tls: null as never,
    connectionLimiter: {
      admit: () => (isFull ? tooManySessions : null),
      release() {},
      sessionsOf: () => 1,
      whenNearlyFull() {},
    },
    handshakeCosts: new HandshakeCosts(),
    knownSenders: new KnownSenders(),
    isTrustedProxy: () => false,
    createSessionPolicy: () => acceptingPolicy,
    log() {},
    drainTimeoutMs: 100,
    maxConnections,
  })
  const port = await server.listen(0, '127.0.0.1')
  const clients: Socket[] = []
  context.after(async () => {
    for (const client of clients) client.destroy()
    await server.drain()
  })
  /** @returns a client and the first octets that it receives, or '' when it is disconnected */
  const open = async (): Promise<[client: Socket, octets: string]> => {
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {})
    clients.push(client)
    const received = Promise.race([
      once(client, 'data').then(([octets]) => String(octets)),
      once(client, 'end').then(() => ''),
      once(client, 'close').then(() => ''),
    ])
    return [client, await within(10_000, received, 'octets from the server')]
  }
  /** Waits at most ten seconds for this number of connections. */
  const waitForSize = async (expected: number): Promise<number> => {
    const until = performance.now() + 10_000
    while (server.size !== expected && performance.now() < until) await new Promise(setImmediate)
    return server.size
  }
  return { server, open, waitForSize }
}

test('MailServer.size counts open connections only', async (context) => {
  const { server, open, waitForSize } = await startServer(context)
  const [[first], [second]] = [await open(), await open(), await open()]
  assert.equal(server.size, 3)
  first?.resetAndDestroy()
  assert.equal(await waitForSize(2), 2)
  second?.end()
  assert.equal(await waitForSize(1), 1)
})

test('MailServer disconnects a client beyond maxConnections, although no session has ended', async (context) => {
  const { server, open } = await startServer(context, { maxConnections: 3 })
  for (let count = 0; count < 3; count++) assert.match((await open())[1], /^220 /)
  assert.equal((await open())[1], '')
  assert.equal(server.size, 3)
})

test('MailServer closes a connection whose session has ended when a new one makes more than maxConnections less 64', async (context) => {
  // Of the 68 connections, 64 are spare: from the fifth on, each new connection closes one whose session has ended.
  const { open, waitForSize } = await startServer(context, { maxConnections: 64 + 4, isFull: true })
  const clients: Socket[] = []
  for (let count = 0; count < 4; count++) {
    const [client, received] = await open()
    assert.match(received, /^421 4\.3\.2 /)
    clients.push(client)
  }
  clients[0]?.destroy()
  clients[1]?.destroy()
  assert.equal(await waitForSize(2), 2)
  for (let count = 0; count < 2; count++) await open()
  assert.equal(await waitForSize(4), 4)
  await open()
  assert.equal(await waitForSize(4), 4)
})
