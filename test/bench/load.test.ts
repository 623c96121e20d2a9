import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { startTestIngress } from '../support/ingress/ingress.ts'
import { listen } from '../support/listen.ts'
import { selfSigned } from '../support/pki.ts'
import { type Load, LoadRun, sampleMessage } from './load.ts'
import { createSink } from './sink-server.ts'

const message = sampleMessage(4096)
const brief = { connections: 3, resume: false, message, leadInMs: 40, durationMs: 300 }
const plain = { ...brief, group: null }
const secure = { ...brief, group: 'X25519' }

async function portOf(t: TestContext, server: Server): Promise<number> {
  const { port, stop } = await listen(server)
  t.after(stop)
  return port
}

async function startSink(t: TestContext) {
  const taken: Buffer[] = []
  const sinkRecord = { taken, connections: 0 }
  const tls = await selfSigned({ names: ['mx.example'] })
  const sink = createSink({ tls, onMessage: (content) => taken.push(content) })
  sink.on('connection', () => sinkRecord.connections++)
  return { port: await portOf(t, sink), sinkRecord }
}

/** A server without TLS whose replies a test decides. */
function startScripted(
  t: TestContext,
  answer: (step: string, socket: Socket) => string | null,
): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    const sendReply = (step: string) => {
      const reply = answer(step, socket)
      if (reply !== null) socket.write(`${reply}\r\n`)
    }
    sendReply('connection')
    let input = ''
    socket.setEncoding('latin1').on('data', (text: string) => {
      input += text
      if (input.startsWith('From:')) {
        if (!input.endsWith('\r\n.\r\n')) return
        sendReply('message')
      } else for (const line of input.split('\r\n').slice(0, -1)) sendReply(line.slice(0, 4))
      input = ''
    })
  })
  return portOf(t, server)
}

const defaults: Record<string, string> = { conn: '220 hi', DATA: '354 go on', QUIT: '221 bye' }
const defaultReply = (step: string) => defaults[step.slice(0, 4)] ?? '250-more\r\n250 OK'

async function runLoad(load: Load) {
  const run = new LoadRun(load)
  await run.open()
  const result = await run.run()
  run.close()
  return result
}

test('a load in mode Persistent sends all messages of a session over one TLS connection, and counts none of the lead-in', async (t) => {
  const { port, sinkRecord } = await startSink(t)
  const result = await runLoad({ ...secure, port, mode: 'Persistent' })
  assert.equal(sinkRecord.connections, brief.connections)
  assert.ok(result.total > brief.connections, `${result.total} messages`)
  assert.equal(result.total, sinkRecord.taken.length)
  assert.ok(sinkRecord.taken.every((content) => content.equals(message)))
  assert.equal(result.times.length, result.count)
  assert.ok(result.count > 0 && result.count < result.total, 'the lead-in is not counted')
  assert.ok(result.times.every((milliseconds) => milliseconds > 0 && milliseconds < brief.durationMs))
  assert.equal(result.tls, 'TLSv1.3, TLS_AES_256_GCM_SHA384')
  assert.equal(result.handshakes, 0, 'handshakes before the load are not counted')
  assert.deepEqual([...result.errors], [])
  assert.ok(result.busy > 0)
})

test('a load in mode Connection opens a connection for each message, in the clear and over TLS', async (t) => {
  const { port, sinkRecord } = await startSink(t)
  const inTheClear = await runLoad({ ...plain, port, mode: 'Connection' })
  assert.ok(inTheClear.total >= brief.connections)
  assert.deepEqual([sinkRecord.connections, sinkRecord.taken.length], [inTheClear.total, inTheClear.total])
  assert.deepEqual([inTheClear.tls, inTheClear.handshakes], [null, 0])
  const overTls = await runLoad({ ...secure, port, mode: 'Connection' })
  assert.equal(overTls.handshakes, overTls.total)
  assert.equal(overTls.resumed, 0)
  assert.deepEqual([...inTheClear.errors, ...overTls.errors], [])
})

test('a load with resume resumes TLS sessions', async (t) => {
  const { port } = await startSink(t)
  const result = await runLoad({ ...secure, port, mode: 'Connection', resume: true })
  const fullHandshakes = result.handshakes - result.resumed
  assert.ok(
    result.resumed > 0 && fullHandshakes >= 1 && fullHandshakes <= 2 * brief.connections,
    `${fullHandshakes} full handshakes`,
  )
})

test('a load counts refused and lost messages by cause, and continues', async (t) => {
  const replyCounts = { refused: 0, dropped: 0, taken: 0 }
  let messages = 0
  const port = await startScripted(t, (step, socket) => {
    if (step !== 'message') return defaultReply(step)
    const turn = messages++ % 3
    if (turn === 0) replyCounts.taken++
    if (turn === 1) replyCounts.refused++
    if (turn !== 2) return turn === 0 ? '250 accepted' : '451 4.3.0 later'
    replyCounts.dropped++
    socket.destroy()
    return null
  })
  for (const mode of ['Persistent', 'Connection'] as const) {
    Object.assign(replyCounts, { refused: 0, dropped: 0, taken: 0 })
    const { total, errors } = await runLoad({ ...plain, port, mode })
    assert.equal(total, replyCounts.taken, mode)
    const results = [...errors].filter(([, times]) => times > 0)
    assert.deepEqual(
      new Map(results),
      new Map([
        ['Content: 451 4.3.0 later', replyCounts.refused],
        ['Content: the connection was closed', replyCounts.dropped],
      ]),
    )
  }
})

test('a load reads a reply that arrives octet by octet', async (t) => {
  const port = await startScripted(t, (step, socket) => {
    const octets = [...`${defaultReply(step)}\r\n`]
    for (const octet of octets) socket.write(octet)
    return null
  })
  const { total, errors } = await runLoad({ ...plain, port, mode: 'Persistent' })
  assert.ok(total > 0)
  assert.deepEqual([...errors], [])
})

test('a load by BDAT sends whole transactions, and the same content', async (t) => {
  const ingress = await startTestIngress({ settings: { MAX_MESSAGES_PER_MINUTE_PER_ADDRESS: 0 } })
  t.after(() => ingress.drain())
  const { total, errors } = await runLoad({
    ...plain,
    port: ingress.smtpPort,
    mode: 'Persistent',
    command: 'BDAT',
  })
  assert.deepEqual([total > 0, [...errors]], [true, []])
  const { key = '', offset = 0, length = 0 } = ingress.queue.jobs[0]?.message.content ?? {}
  const stored = ingress.bucket.objects.get(key)?.subarray(offset, offset + length)
  assert.ok(stored?.toString().endsWith(message.toString().slice(0, -'.\r\n'.length)))
})

test('a load rejects with the reply of the server when the server refuses the sessions', async (t) => {
  const port = await startScripted(t, () => '421 4.7.0 too many')
  await assert.rejects(runLoad({ ...plain, port, mode: 'Persistent' }), {
    message: 'cannot open 3 sessions: Greeting: 421 4.7.0 too many',
  })
})

test('a load distinguishes at most 20 kinds of errors, and counts the others together', async (t) => {
  let serial = 0
  const port = await startScripted(t, (step) =>
    step === 'message' ? `451 4.3.0 no ${serial++}` : defaultReply(step),
  )
  const { errors } = await runLoad({ ...plain, port, mode: 'Connection', connections: 40 })
  const results = [...errors.values()].reduce((sum, times) => sum + times, 0)
  assert.equal(results, serial)
  assert.ok(errors.size <= 21 && (errors.get('others') ?? 0) > 0, `${errors.size} kinds`)
})
