/** Ends of connections: clients that close their side and still read, and clients that never disconnect. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { startTestIngress, type TestIngress, Wire } from '../../support/ingress/ingress.ts'
import { within } from '../../support/within.ts'

/** Milliseconds after which a wait in a test fails. */
const timeoutMs = 10_000
const untilClosed = (socket: Socket) =>
  within(
    timeoutMs,
    new Promise<void>((resolve) => socket.once('close', () => resolve())),
    'the end of the connection',
  )

let ingress: TestIngress
before(async () => {
  ingress = await startTestIngress()
})
after(() => ingress.drain())

/** @returns everything read, as soon as it includes this text */
async function readUntil(socket: Socket, text: string): Promise<string> {
  let read = ''
  while (!read.includes(text)) {
    const [octets] = await within(timeoutMs, once(socket, 'data'), JSON.stringify(text))
    read += octets
  }
  return read
}

async function open(): Promise<Socket> {
  const socket = connect({ port: ingress.smtpPort, host: '127.0.0.1', allowHalfOpen: true })
  await readUntil(socket, '220 ')
  return socket
}

async function startTls(socket: Socket): Promise<TLSSocket> {
  socket.write('EHLO client.example\r\nSTARTTLS\r\n')
  await readUntil(socket, 'Ready')
  const tls = connectTls({ socket, rejectUnauthorized: false })
  await within(timeoutMs, once(tls, 'secureConnect'), 'the end of the handshake')
  return tls
}

for (const how of ['in the clear', 'under TLS'])
  test(`a client that half-closes after its message, ${how}, still gets the reply`, async () => {
    const tcp = await open()
    const socket = how === 'under TLS' ? await startTls(tcp) : tcp
    socket.write(
      'EHLO client.example\r\nMAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\n',
    )
    await readUntil(socket, '354 ')
    const { promise: stored, resolve: store } = Promise.withResolvers<void>()
    const { promise: jobSent, resolve: reportJob } = Promise.withResolvers<void>()
    ingress.queue.before = () => {
      reportJob()
      return stored
    }
    const closed = untilClosed(socket)
    socket.end('Subject: x\r\n\r\nlast line\r\n.\r\n')
    await within(timeoutMs, jobSent, 'the job in the queue')
    // The FIN must arrive before the message is stored. No event shows its arrival, so the test waits.
    await new Promise((resolve) => setTimeout(resolve, 50))
    store()
    assert.match(await readUntil(socket, '\r\n'), /^250 2\.0\.0 Ok: queued as /)
    await closed
    tcp.destroy()
  })

test('octets in the clear after the handshake make the server close the connection', async () => {
  const relay = createServer()
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  const connectionEvent = once(relay, 'connection')
  const { port } = relay.address() as AddressInfo
  const client = connect(port, '127.0.0.1')
  const [near] = (await connectionEvent) as [Socket]
  const far = connect(ingress.smtpPort, '127.0.0.1')
  // Unread octets at close turn the FIN into a reset.
  for (const socket of [client, near, far]) socket.on('error', () => {})
  near.pipe(far, { end: false })
  far.pipe(near, { end: false })
  await readUntil(client, '220 ')
  const tls = await startTls(client)
  tls.on('error', () => {})
  const closed = untilClosed(far)
  far.write('NOOP\r\n')
  await closed
  for (const socket of [tls, client, near]) socket.destroy()
  relay.close()
})

test('130 connections that stay open after their session do not block a new client when MAX_CONNECTIONS is 4', async () => {
  // The maximum is 2 × 4 + 100 connections.
  const smallIngress = await startTestIngress({
    settings: { MAX_CONNECTIONS: 4, MAX_CONNECTIONS_PER_ADDRESS: 1 },
  })
  const stayingClients: Socket[] = []
  for (let number = 0; number < 130; number++) {
    const socket = connect({
      port: smallIngress.smtpPort,
      host: '127.0.0.1',
      localAddress: '127.0.0.9',
      allowHalfOpen: true,
    })
    socket.on('error', () => {})
    stayingClients.push(socket)
    await within(timeoutMs, Promise.race([once(socket, 'data'), once(socket, 'close')]), 'data or close')
  }
  const newClient = connect(smallIngress.smtpPort, '127.0.0.1')
  assert.match(
    await Promise.race([readUntil(newClient, '\r\n'), once(newClient, 'close').then(() => 'closed')]),
    /^220 /,
  )
  for (const socket of [newClient, ...stayingClients]) socket.destroy()
  await smallIngress.drain()
})

test('a drain waits for messages in flight, and disconnects at the end of DRAIN_SECONDS a client whose message has not ended', async (context) => {
  const draining = await startTestIngress({ settings: { DRAIN_SECONDS: 5 } })
  const openDataPhase = async () => {
    const wire = await Wire.greet(draining.smtpPort)
    for (const line of ['MAIL FROM:<a@elsewhere.example>', 'RCPT TO:<b@ours.example>', 'DATA'])
      await wire.command(line)
    return wire
  }
  const [endingClient, hangingClient] = [await openDataPhase(), await openDataPhase()]
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const drained = draining.drain()
  context.mock.timers.tick(4999)
  assert.match(await endingClient.command('Subject: x\r\n.'), /^250 /)
  assert.match(await endingClient.reply(), /^421 4\.3\.2 Service shutting down/)
  hangingClient.write('Subject: x\r\n')
  const closing = hangingClient.line()
  const isClosed = await Promise.race([closing.then(() => true), new Promise(setImmediate).then(() => false)])
  assert.equal(isClosed, false)
  context.mock.timers.tick(1)
  assert.equal(await closing, null)
  await within(timeoutMs, drained, 'the end of the drain')
})
