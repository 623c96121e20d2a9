import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { listen } from '../support/listen.ts'
import { type Identity, selfSigned } from '../support/pki.ts'
import { createSink, type SinkOptions } from './sink-server.ts'

let identity: Promise<Identity> | undefined

/** A client without TLS, the server's end of its connection, and the messages that the server took. */
async function startSession(t: TestContext, options: Partial<SinkOptions>) {
  identity ??= selfSigned({ names: ['mx.example'] })
  const messages: string[] = []
  const onMessage = (message: Buffer) => void messages.push(message.toString('latin1'))
  const sink = createSink({ tls: await identity, onMessage, ...options })
  const { port, stop } = await listen(sink)
  t.after(stop)
  const accepted = once(sink, 'connection')
  const client = connect({ port, host: '127.0.0.1', noDelay: true })
  const [server] = (await accepted) as [Socket]
  const session = { client, server, messages, received: '' }
  client.setEncoding('latin1').on('data', (text: string) => {
    session.received += text
  })
  await replies(session, 1)
  session.received = ''
  return session
}

type Session = Awaited<ReturnType<typeof startSession>>

const lines = (text: string) => text.split('\r\n').slice(0, -1)

/** Waits for a number of lines and returns their codes. */
async function replies(session: Session, count: number): Promise<string[]> {
  while (lines(session.received).length < count) await nextTurn()
  return lines(session.received).map((line) => line.slice(0, 3))
}

/** Sends the octets so that the server reads each part alone. */
async function sendInParts({ client, server }: Session, parts: readonly string[]): Promise<void> {
  for (const part of parts) {
    const expected = server.bytesRead + part.length
    client.write(part, 'latin1')
    while (server.bytesRead < expected) await nextTurn()
  }
}

const refusesRecipient = (line: string) => line.includes('<no@')
const envelope = 'MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<no@x>\r\n'
const dotted = '\r\n.\r\nBDAT 9\r\n.\xe9'

/** Commands in one flight, the codes of their replies, and the messages that arrive. */
const flights: { title: string; octets: string; codes: string[]; messages: string[] }[] = [
  {
    title: 'one chunk',
    octets: `${envelope}BDAT ${dotted.length} LAST\r\n${dotted}`,
    codes: ['250', '250', '550', '250'],
    messages: [dotted],
  },
  {
    title: 'several chunks, and a second message',
    octets: `${envelope}BDAT 3\r\n\r\n.bdat 2\r\n\r\nBDAT 0 LAST\r\n${envelope}BDAT 1 LAST\r\nx`,
    codes: ['250', '250', '550', '250', '250', '250', '250', '250', '550', '250'],
    messages: ['\r\n.\r\n', 'x'],
  },
  {
    title: 'a chunk without a recipient',
    octets: `MAIL FROM:<a@x>\r\nRCPT TO:<no@x>\r\nBDAT 6 LAST\r\nRSET\r\nNOOP\r\n`,
    codes: ['250', '550', '554', '250'],
    messages: [],
  },
  {
    title: 'a chunk without a length',
    octets: `${envelope}BDAT x\r\nNOOP\r\n`,
    codes: ['250', '250', '550', '501', '250'],
    messages: [],
  },
  {
    title: 'DATA, and commands after the end of data',
    octets: `${envelope}DATA\r\na\r\n..\r\n.x\r\n.\r\n${envelope}DATA\r\n.\r\nNOOP\r\n`,
    codes: ['250', '250', '550', '354', '250', '250', '250', '550', '354', '250', '250'],
    messages: ['a\r\n..\r\n.x\r\n.\r\n', '.\r\n'],
  },
  {
    title: 'DATA without a recipient',
    octets: `MAIL FROM:<a@x>\r\nRCPT TO:<no@x>\r\nDATA\r\nNOOP\r\n`,
    codes: ['250', '550', '554', '250'],
    messages: [],
  },
]

for (const { title, octets, codes, messages } of flights)
  test(`the sink replies to each command of a flight split at any octet: ${title}`, async (t) => {
    const session = await startSession(t, { hasChunking: true, refusesRecipient })
    const splits = Array.from(octets, (_, at) => [octets.slice(0, at), octets.slice(at)])
    for (const parts of [...splits, [...octets]]) {
      await sendInParts(session, parts)
      assert.deepEqual(await replies(session, codes.length), codes, JSON.stringify(parts))
      assert.deepEqual(session.messages, messages, JSON.stringify(parts))
      session.received = ''
      session.messages.length = 0
    }
  })

test('the sink announces CHUNKING only when it is to accept BDAT', async (t) => {
  for (const hasChunking of [false, true]) {
    const session = await startSession(t, { hasChunking })
    session.client.write('EHLO x\r\nBDAT x\r\n')
    const expected = [
      '250',
      '250',
      '250',
      ...(hasChunking ? ['250'] : []),
      '250',
      hasChunking ? '501' : '500',
    ]
    assert.deepEqual(await replies(session, expected.length), expected)
    assert.equal(/CHUNKING/.test(session.received), hasChunking)
  }
})

test('the sink sends all replies to a flight in one write after its pause, and the reply to QUIT before the end', async (t) => {
  const session = await startSession(t, { hasChunking: true, pauseMs: 5 })
  const writes: string[] = []
  session.client.on('data', (text: string) => writes.push(text))
  session.client.write(`${envelope}BDAT 1 LAST\r\nxQUIT\r\n`)
  await once(session.client, 'end')
  assert.deepEqual(
    writes.map((text) => lines(text).map((line) => line.slice(0, 3))),
    [['250', '250', '250', '250', '221']],
  )
})
