/** Fetches from untrusted web servers that misbehave, and from URLs that must be refused. */
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { fetchUntrustedUrl } from '../../../shared/net/untrusted-http.ts'
import { fakeResolver } from '../../support/dns.ts'
import { type Listening, listen } from '../../support/listen.ts'
import { within } from '../../support/within.ts'

const get = { method: 'GET' } as const
let server: Listening | null = null

afterEach(async () => {
  await server?.stop()
  server = null
})

/** @param answer called when a request has begun to arrive */
async function request(answer: (socket: Socket) => void, path = '/') {
  server = await listen(createServer((socket) => socket.once('data', () => answer(socket))))
  const limits = { totalMs: 1_000, idleTimeoutMs: 400, maxBodyOctets: 100_000 }
  const options = { resolver: fakeResolver({}), privateNetworks: ['127.0.0.0/8'], limits }
  return fetchUntrustedUrl(options, `${server.url}${path}`, get)
}

const without = (scheme: string) =>
  fetchUntrustedUrl(
    {
      resolver: fakeResolver({
        a: { 'inside.example': ['10.0.0.1'], 'metadata.example': ['169.254.169.254'] },
      }),
      privateNetworks: [],
      limits: { totalMs: 1_000, idleTimeoutMs: 400, maxBodyOctets: 1_000 },
    },
    scheme,
    get,
  )

/** Writes as fast as the client reads. */
function flood(socket: Socket, text: string): void {
  const more = () => {
    while (!socket.destroyed && socket.write(text));
    socket.once('drain', more)
  }
  more()
}

/** Writes a few octets at a time, so that no idle timeout fires. */
function drip(socket: Socket, text: string): void {
  const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write(text)), 50)
}

const head = 'HTTP/1.1 200 OK\r\n'
const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`

const hostile: Record<string, { answer: (socket: Socket) => void; says: RegExp }> = {
  'does not respond': { answer: () => {}, says: /no answer within 0\.4 s/ },
  'never ends its response': {
    answer: (socket) => {
      socket.write(`${head}\r\n`)
      flood(socket, 'a'.repeat(10_000))
    },
    says: /larger than 100000 octets/,
  },
  'sends its response too slowly': {
    answer: (socket) => {
      socket.write(`${head}Content-Length: 1000\r\n\r\n`)
      drip(socket, 'a')
    },
    says: /not done within 1 s/,
  },
  'sends a header field too slowly': {
    answer: (socket) => {
      socket.write(`${head}X: `)
      drip(socket, 'a')
    },
    says: /not done within 1 s/,
  },
  'sends chunks of one octet': {
    answer: (socket) => {
      socket.write(chunked)
      flood(socket, '1\r\na\r\n'.repeat(1_000))
    },
    says: /larger than 100000 octets/,
  },
  'sends header fields without end': {
    answer: (socket) => {
      socket.write(head)
      flood(socket, 'A: b\r\n'.repeat(1_000))
    },
    says: /Header overflow/,
  },
  'sends trailer fields without end': {
    answer: (socket) => {
      socket.write(`${chunked}0\r\n`)
      flood(socket, 'A: b\r\n'.repeat(1_000))
    },
    says: /aborted|overflow/,
  },
  'sends only provisional responses': {
    answer: (socket) => flood(socket, 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)),
    says: /not done within 1 s/,
  },
  'switches to another protocol': {
    answer: (socket) => socket.write('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    says: /another protocol/,
  },
  'is a mail server': { answer: (socket) => socket.write('220 mx.example ESMTP\r\n'), says: /Parse Error/ },
  'resets the connection within its response': {
    answer: (socket) => {
      socket.write(`${head}Content-Length: 10\r\n\r\nab`)
      setTimeout(() => socket.resetAndDestroy(), 50)
    },
    says: /ECONNRESET/,
  },
}

describe('An untrusted web server', () => {
  for (const [condition, { answer, says }] of Object.entries(hostile))
    it(`that ${condition} leads to a failed fetch with the reason`, async () => {
      const response = await within(10_000, request(answer), 'the end')
      assert.equal(response.kind, 'Failed')
      assert.match(response.kind === 'Failed' ? response.detail : '', says)
    })

  it('that redirects leads to the redirect as response, which is not followed', async () => {
    const location = 'Location: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n'
    const response = await request((socket) => socket.end(`HTTP/1.1 302 Found\r\n${location}`))
    assert.equal(response.kind === 'Answered' && response.status, 302)
  })

  it('that responds in 300 chunks is read to the end of its response', async () => {
    const response = await request((socket) => {
      socket.write(chunked)
      socket.end(`${'100\r\n'.concat('a'.repeat(256), '\r\n').repeat(300)}0\r\n\r\n`)
    })
    assert.equal(response.kind === 'Answered' && response.body.length, 76_800)
  })
})

for (const [url, says] of [
  ['file:///etc/passwd', /file: URLs are refused/],
  ['ftp://ca.example/', /ftp: URLs are refused/],
  ['http://inside.example/', /no address that may be used/],
  ['http://metadata.example/', /no address that may be used/],
  ['http://169.254.169.254/', /no address that may be used/],
  ['http://0x7f000001/', /no address that may be used/],
  ['http://[::ffff:10.0.0.1]/', /no address that may be used/],
  ['http://user:secret@ca.example/', /with a password is refused/],
  ['http://ca.example:25/', /port 25 is refused/],
  ['https://ca.example:8443/', /port 8443 is refused/],
  [`http://ca.example/${'a'.repeat(3_000)}`, /not a URL/],
] as const)
  it(`a fetch of ${url.length > 60 ? `${url.slice(0, 60)}…` : url} is refused`, async () => {
    const response = await without(url)
    assert.match(response.kind === 'Failed' ? response.detail : '', says)
  })
