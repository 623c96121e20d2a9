import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { createHealthServer } from '../../../functions/smtp-ingress/health-server.ts'
import { within } from '../../support/within.ts'

let fault: string | null = null
const server = createHealthServer(() => fault).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
after(() => {
  server.close()
  server.closeAllConnections()
})

const get = 'GET /health HTTP/1.1\r\nHost: task\r\nConnection: close\r\n\r\n'
const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
/** The load balancer's own connection (LOCAL), with an extension. */
const localHeader = Buffer.concat([signature, Buffer.from([0x20, 0, 0, 7, 4, 0, 4, 1, 2, 3, 4])])
const proxyHeader = Buffer.concat([
  signature,
  Buffer.from([0x21, 0x11, 0, 12, 192, 0, 2, 1, 10, 40, 0, 1, 0x30, 0x39, 0x1f, 0x91]),
])

/** @returns the response to these octets, each sent in its own packet, until the server closes */
async function responseTo(...packets: (string | Buffer)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true)
  let response = ''
  socket.on('data', (octets) => {
    response += octets
  })
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  for (const packet of packets) {
    socket.write(packet)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await within(10_000, closed, 'the end of the connection')
  return response
}

const octetByOctet = (octets: Buffer) => [...octets].map((octet) => Buffer.of(octet))

const requests: [how: string, packets: (string | Buffer)[]][] = [
  ['sent without a PROXY protocol header', [get]],
  ['sent in three packets', ['GET /hea', 'lth HTTP/1.1\r\nHost: task\r\nConnection: close\r\n', '\r\n']],
  ['sent after a LOCAL header', [localHeader, get]],
  ['sent in one packet with a LOCAL header', [Buffer.concat([localHeader, Buffer.from(get)])]],
  ['sent after a LOCAL header that arrives octet by octet', [...octetByOctet(localHeader), get]],
  ['sent in one packet with a PROXY header', [Buffer.concat([proxyHeader, Buffer.from(get)])]],
]

for (const [how, packets] of requests)
  test(`GET /health ${how} gets 200, and 503 when there is a fault`, async () => {
    fault = null
    assert.match(await responseTo(...packets), /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n(3\r\n)?ok\n/)
    fault = 'storage is failing'
    assert.match(await responseTo(...packets), /^HTTP\/1\.1 503 [\s\S]*storage is failing\n/)
  })

test('GET /health can be sent three times over one connection', async () => {
  fault = null
  const keepAlive = get.replace('Connection: close\r\n', '')
  assert.equal(
    (await responseTo(localHeader, keepAlive, keepAlive, get)).match(/HTTP\/1\.1 200 /g)?.length,
    3,
  )
})

test('the health server responds with 404 to other paths and methods', async () => {
  assert.match(await responseTo(get.replace('/health', '/')), /^HTTP\/1\.1 404 /)
  assert.match(await responseTo(get.replace('GET', 'POST')), /^HTTP\/1\.1 404 /)
})

test('the health server closes a connection with a broken PROXY protocol header without a response', async () =>
  assert.equal(await responseTo(Buffer.from('\r\n\r\nGET / HTTP/1.1\r\n\r\n')), ''))

test('the health server disconnects a silent client after five seconds', async (context) => {
  const connected = once(server, 'connection')
  const client = connect(port, '127.0.0.1').resume()
  context.after(() => client.destroy())
  const closed = once(client, 'close')
  const [socket] = (await connected) as [Socket]
  assert.equal(socket.timeout, 5000)
  // Emits the event of Node's timer.
  socket.emit('timeout')
  await within(10_000, closed, 'the end of the connection')
})

test('the health server drops the sixty-fifth connection', async (context) => {
  const dropped = once(server, 'drop')
  const clients = Array.from({ length: 65 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  context.after(() => {
    for (const client of clients) client.destroy()
  })
  await within(10_000, dropped, 'the refusal of the sixty-fifth')
  const { promise, resolve } = Promise.withResolvers<number>()
  server.getConnections((_error, count) => resolve(count))
  assert.equal(await promise, 64)
})
