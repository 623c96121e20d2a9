/** The connections there are: how many, who makes room, and what a drain leaves. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { ConnectedDialogue } from '../../../../functions/smtp-ingress/connection/connection.ts'
import { MailServer } from '../../../../functions/smtp-ingress/connection/mail-server.ts'
import { tooManySessions } from '../../../../functions/smtp-ingress/replies.ts'
import { reply } from '../../../../shared/mail/reply.ts'
import { within } from '../../../support/within.ts'

const ok = reply(250, '0.0', 'Ok')
const dialogue: ConnectedDialogue = {
  welcome: () => null,
  secured: () => null,
  handshakeFailed() {},
  connectionFailed() {},
  mail: () => ok,
  recipient: () => ok,
  data: () => ok,
  refused() {},
  failed() {},
}

async function serverIn(context: TestContext, { maximumConnections = 100, isFull = false } = {}) {
  const server = new MailServer({
    options: {
      hostname: 'mx.ours.example',
      maximumSize: 1_000_000,
      maximumRecipients: 100,
      maximumErrors: 20,
      maximumIdleCommands: 100,
      maximumLine: 65_536,
      unlawfulOctets: 'Refuse',
    },
    tls: null as never,
    admission: { admit: () => (isFull ? tooManySessions : null), release() {} },
    isProxy: () => false,
    dialogueWith: () => dialogue,
    log() {},
    drainMs: 100,
    maximumConnections,
  })
  const port = await server.listen(0, '127.0.0.1')
  const clients: Socket[] = []
  context.after(async () => {
    for (const client of clients) client.destroy()
    await server.drain()
  })
  /** @returns a client, and what it is told first, or nothing when it is cut */
  const open = async (): Promise<[client: Socket, told: string]> => {
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {})
    clients.push(client)
    const told = Promise.race([
      once(client, 'data').then(([octets]) => String(octets)),
      once(client, 'end').then(() => ''),
      once(client, 'close').then(() => ''),
    ])
    return [client, await within(10_000, told, 'what the server says')]
  }
  /** Until there are so many connections, or ten seconds have passed. */
  const size = async (expected: number): Promise<number> => {
    const until = performance.now() + 10_000
    while (server.size !== expected && performance.now() < until) await new Promise(setImmediate)
    return server.size
  }
  return { server, open, size }
}

test('connections are those there are: who has left is not among them', async (context) => {
  const { server, open, size } = await serverIn(context)
  const [[first], [second]] = [await open(), await open(), await open()]
  assert.equal(server.size, 3)
  first?.resetAndDestroy()
  assert.equal(await size(2), 2)
  second?.end()
  assert.equal(await size(1), 1)
})

test('there are no more connections than there may be, whatever their sessions', async (context) => {
  const { server, open } = await serverIn(context, { maximumConnections: 3 })
  for (let count = 0; count < 3; count++) assert.match((await open())[1], /^220 /)
  assert.equal((await open())[1], '')
  assert.equal(server.size, 3)
})

test('room is made by those whose session ended first, and those who left by themselves make none', async (context) => {
  // Above the places that are kept free, each that comes cuts one off.
  const { open, size } = await serverIn(context, { maximumConnections: 64 + 4, isFull: true })
  const clients: Socket[] = []
  for (let count = 0; count < 4; count++) {
    const [client, told] = await open()
    assert.match(told, /^421 4\.3\.2 /)
    clients.push(client)
  }
  clients[0]?.destroy()
  clients[1]?.destroy()
  assert.equal(await size(2), 2)
  for (let count = 0; count < 2; count++) await open()
  assert.equal(await size(4), 4)
  await open()
  assert.equal(await size(4), 4)
})
