/** Limits for clients: memory, time and sessions; and logs of disconnects. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { JobRefusedError } from '../../../shared/queues/job-queue.ts'
import { inbound } from '../../support/fixtures.ts'
import {
  startTestIngress,
  type TestIngress,
  type TestIngressOptions,
  Wire,
} from '../../support/ingress/ingress.ts'

const running = new Set<TestIngress>()

async function ingressWith(settings: TestIngressOptions['settings'] = {}): Promise<TestIngress> {
  const ingress = await startTestIngress({ settings })
  running.add(ingress)
  return ingress
}

afterEach(async () => {
  await Promise.all([...running].map((ingress) => ingress.drain()))
  running.clear()
})

/** A session in its data phase. */
async function openDataPhase({ smtpPort }: TestIngress): Promise<Wire> {
  const wire = await Wire.greet(smtpPort)
  for (const command of ['MAIL FROM:<a@elsewhere.example>', 'RCPT TO:<b@ours.example>', 'DATA'])
    await wire.command(command)
  return wire
}

/** Waits for operations of an ingress's bucket; each operation is reported once. */
function operations({ bucket }: TestIngress) {
  let checkedCount = 0
  let wake = () => {}
  bucket.before = async () => wake()
  return {
    async next(operation: string): Promise<void> {
      for (;;) {
        while (checkedCount < bucket.operations.length)
          if (bucket.operations[checkedCount++] === operation) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

/** A header and whole lines, of about this many octets. */
const mailOfSize = (count: number) =>
  Buffer.from(`Subject: x\r\n\r\n${`${'0123456789'.repeat(7)}abcdef\r\n`.repeat(Math.ceil(count / 78))}`)
const mebibyte = 1024 * 1024

/** Stops the ingress. @returns the sum of this metric over its lines */
async function sumOf(ingress: TestIngress, metric: string, reason?: string): Promise<number> {
  await ingress.drain()
  running.delete(ingress)
  const lines = ingress.lines.filter(
    (line) => metric in line && !('cause' in line) && (reason === undefined || line.reason === reason),
  )
  return lines.reduce((sum, line) => sum + Number(line[metric]), 0)
}

test('twenty thousand RCPT TO:<postmaster> are one recipient, also for MAX_RECIPIENTS', async () => {
  const ingress = await ingressWith({ MAX_RECIPIENTS: 2 })
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  wire.write('RCPT TO:<postmaster>\r\n'.repeat(20_000))
  for (let recipient = 0; recipient < 20_000; recipient++)
    assert.equal(await wire.reply(), '250 2.1.5 Accepted')
  assert.equal(await wire.command('RCPT TO:<b@ours.example>'), '250 2.1.5 Accepted')
  assert.match(await wire.command('RCPT TO:<c@ours.example>'), /^452 4\.5\.3 /)
  assert.equal(await wire.command('RCPT TO:<Postmaster>'), '250 2.1.5 Accepted')
  await wire.command('DATA')
  wire.write('Subject: x\r\n')
  assert.match(await wire.command('.'), /^250 /)
  assert.deepEqual(
    ingress.queue.jobs[0]?.recipients.map(({ address }) => address),
    ['postmaster@ours.example', 'b@ours.example'],
  )
})

test('24 concurrent messages of 1 MiB with 512 MiB of memory and slow storage are all stored', async () => {
  const ingress = await ingressWith({ MEMORY_MIB: 512, MAX_CONNECTIONS: 1000 })
  const { promise: written, resolve: write } = Promise.withResolvers<void>()
  ingress.bucket.before = () => written
  const sessions = await Promise.all(Array.from({ length: 24 }, () => openDataPhase(ingress)))
  const replies = sessions.map((wire) => {
    wire.write(mailOfSize(mebibyte - 1000))
    return wire.command('.')
  })
  write()
  const codes = (await Promise.all(replies)).map((reply) => reply.slice(0, 9))
  assert.deepEqual([...new Set(codes)], ['250 2.0.0'])
})

test('a message whose announced size exceeds the free spool is refused at MAIL', async () => {
  const ingress = await ingressWith({ MAX_MESSAGE_SIZE: 60_000_000, SPOOL_MIB: 64 })
  const wire = await Wire.greet(ingress.smtpPort)
  const announce = () => wire.command('MAIL FROM:<a@elsewhere.example> SIZE=60000000')
  assert.match(await announce(), /^250 /)
  const otherSession = await openDataPhase(ingress)
  otherSession.write(mailOfSize(9 * mebibyte))
  // Octets reach the disk, and reduce the free spool, a little later.
  let reply = ''
  while (!reply.startsWith('452')) {
    const wire = await Wire.greet(ingress.smtpPort)
    reply = await wire.command('MAIL FROM:<a@elsewhere.example> SIZE=60000000')
    await wire.command('QUIT')
  }
  assert.equal(reply, '452 4.3.1 Insufficient system storage, try again later')
})

const abandonments: [
  description: string,
  start: (ingress: TestIngress) => Promise<Wire>,
  leave: (wire: Wire) => unknown,
][] = [
  ['disconnects during a large message', startData, (wire) => wire.destroy()],
  ['disconnects between chunks of a large message', startChunks, (wire) => wire.destroy()],
  ['sends RSET between chunks of a large message', startChunks, (wire) => wire.command('RSET')],
  [
    'sends a chunk that makes a large message too large',
    startChunks,
    (wire) => wire.write('BDAT 60000000\r\n'),
  ],
]

async function startData(ingress: TestIngress): Promise<Wire> {
  const wire = await openDataPhase(ingress)
  wire.write(mailOfSize(9 * mebibyte))
  return wire
}

async function startChunks(ingress: TestIngress): Promise<Wire> {
  const wire = await Wire.greet(ingress.smtpPort)
  for (const command of ['MAIL FROM:<a@elsewhere.example>', 'RCPT TO:<b@ours.example>'])
    await wire.command(command)
  const content = mailOfSize(9 * mebibyte)
  wire.write(`BDAT ${content.length}\r\n`)
  wire.write(content)
  assert.equal(await wire.reply(), `250 2.0.0 Ok: ${content.length} octets received`)
  return wire
}

for (const [description, start, leave] of abandonments)
  test(`a client that ${description} frees its room in the spool`, async () => {
    const ingress = await ingressWith({ MAX_MESSAGE_SIZE: 60_000_000, SPOOL_MIB: 64 })
    const leavingClient = await start(ingress)
    const wire = await Wire.greet(ingress.smtpPort)
    const announce = async () => {
      await wire.command('RSET')
      return wire.command('MAIL FROM:<a@elsewhere.example> SIZE=60000000')
    }
    const until = async (code: string) => {
      let reply = ''
      for (let time = 0; time < 15 && !reply.startsWith(code); time++) {
        reply = await announce()
        // A busy machine reads 9 MiB slowly, and a session has few transactions: so the pauses grow.
        await new Promise((resolve) => setTimeout(resolve, Math.min(1000, 20 * 2 ** time)))
      }
      return reply
    }
    assert.match(await until('452'), /^452 4\.3\.1 /)
    await leave(leavingClient)
    assert.match(await until('250'), /^250 /)
  })

test('a message over MAX_MESSAGE_SIZE gets 552 at its end; one that is over by 8 MiB gets 552 before its end, and the session ends', async () => {
  const ingress = await ingressWith({ MAX_MESSAGE_SIZE: 2_000_000 })
  const wire = await openDataPhase(ingress)
  wire.write(mailOfSize(2_100_000))
  assert.equal(await wire.command('.'), '552 5.3.4 Message exceeds 2000000 octets')
  for (const command of ['MAIL FROM:<a@elsewhere.example>', 'RCPT TO:<b@ours.example>', 'DATA'])
    await wire.command(command)
  wire.write(mailOfSize(2_100_000 + 8 * mebibyte))
  assert.equal(await wire.reply(), '552 5.3.4 Message exceeds 2000000 octets')
  assert.equal(await wire.line(), null)
  assert.equal(ingress.queue.calls, 0)
  assert.deepEqual(
    ingress.lines.filter((line) => line.message === 'client gave up a message'),
    [],
  )
})

test('chunks over MAX_MESSAGE_SIZE together get 552, and the session continues; with 8 MiB more it ends before them', async () => {
  const ingress = await ingressWith({ MAX_MESSAGE_SIZE: 2_000_000 })
  const wire = await Wire.greet(ingress.smtpPort)
  const tooLarge = '552 5.3.4 Message exceeds 2000000 octets'
  const chunk = mailOfSize(1_500_000)
  for (const end of ['RSET', 'QUIT']) {
    for (const command of ['MAIL FROM:<a@elsewhere.example>', 'RCPT TO:<b@ours.example>'])
      await wire.command(command)
    wire.write(`BDAT ${chunk.length}\r\n`)
    wire.write(chunk)
    assert.match(await wire.reply(), /^250 /)
    if (end === 'QUIT') break
    wire.write(`BDAT ${chunk.length}\r\n`)
    wire.write(chunk)
    assert.equal(await wire.reply(), tooLarge)
    assert.match(await wire.command(end), /^250 /)
  }
  assert.equal(await wire.command(`BDAT ${10 * mebibyte}`), tooLarge)
  assert.equal(await wire.line(), null)
  assert.equal(ingress.queue.calls, 0)
})

test('the 451 to a large message whose upload failed does not wait for AbortMultipartUpload', async () => {
  const ingress = await ingressWith()
  ingress.bucket.before = async (operation) => {
    if (operation === 'UploadPart') throw new Error('away')
    if (operation === 'AbortMultipartUpload') await new Promise(() => {})
  }
  const wire = await Wire.greet(ingress.smtpPort)
  assert.match(await wire.send(mailOfSize(12 * mebibyte)), /^451 4\.3\.0 /)
})

test('a session of an address beyond MAX_CONNECTIONS_PER_ADDRESS gets 421, until another session of the address ends', async () => {
  const ingress = await ingressWith({ MAX_CONNECTIONS_PER_ADDRESS: 2 })
  const first = await Wire.greet(ingress.smtpPort)
  await Wire.greet(ingress.smtpPort)
  const third = await Wire.open(ingress.smtpPort)
  assert.equal(await third.reply(), '421 4.7.0 Too many connections from your address, try again later')
  assert.equal(await third.line(), null)
  await first.command('QUIT')
  assert.match(await (await Wire.open(ingress.smtpPort)).reply(), /^220 /)
})

test('a session of an address beyond MAX_CONNECTION_RATE_PER_ADDRESS gets 421, although the earlier sessions have ended', async () => {
  const ingress = await ingressWith({ MAX_CONNECTION_RATE_PER_ADDRESS: 3 })
  for (let session = 0; session < 3; session++) {
    const wire = await Wire.greet(ingress.smtpPort)
    assert.match(await wire.command('QUIT'), /^221 /)
    assert.equal(await wire.line(), null)
  }
  for (let session = 0; session < 2; session++)
    assert.equal(
      await (await Wire.open(ingress.smtpPort)).reply(),
      '421 4.7.0 Too many connections per minute from your address, try again later',
    )
  assert.equal(await sumOf(ingress, 'Refused', 'ConnectionRate'), 2)
})

test('sessions that an OnPremises connector identifies do not count for MAX_CONNECTION_RATE_PER_ADDRESS', async () => {
  const relays = inbound({
    connectorType: 'OnPremises',
    senderDomains: ['*'],
    senderIpAddresses: ['127.0.0.1'],
    requireTls: false,
  })
  const ingress = await startTestIngress({
    inbound: [relays],
    settings: { MAX_CONNECTION_RATE_PER_ADDRESS: 3 },
  })
  running.add(ingress)
  const sendInSession = async (from: string) => {
    const wire = await Wire.open(ingress.smtpPort, from)
    const greeting = await wire.reply()
    if (!greeting.startsWith('220 ')) return greeting
    await wire.command('EHLO relay.example')
    const reply = await wire.send('Subject: x\r\n\r\n', 'a@ours.example', ['b@ours.example'])
    await wire.command('QUIT')
    assert.equal(await wire.line(), null)
    return reply
  }
  const replies: string[] = []
  for (let round = 0; round < 4; round++)
    replies.push(...(await Promise.all([1, 2, 3].map(() => sendInSession('127.0.0.1')))))
  assert.deepEqual(new Set(replies.map((reply) => reply.slice(0, 3))), new Set(['250']))
  for (let session = 0; session < 3; session++) await sendInSession('127.0.0.2')
  assert.match(await sendInSession('127.0.0.2'), /^421 4\.7\.0 /)
})

for (const size of [1000, 3 * mebibyte])
  test(`a client that disconnects after ${size} octets of a message is logged, and not counted as a refusal`, async () => {
    const ingress = await ingressWith()
    const wire = await openDataPhase(ingress)
    wire.write(mailOfSize(size))
    wire.destroy()
    const { level, ip } = await ingress.logged('client gave up a message')
    assert.deepEqual({ level, ip }, { level: 'info', ip: '127.0.0.1' })
    assert.equal(await sumOf(ingress, 'Refused'), 0)
  })

test('a connection that is reset during a message is logged, and not counted as a refusal', async () => {
  const ingress = await ingressWith()
  const wire = await openDataPhase(ingress)
  wire.write(mailOfSize(1000))
  wire.reset()
  await ingress.logged('client gave up a message')
  assert.equal(await sumOf(ingress, 'Refused'), 0)
})

test('a reset within an established TLS session is logged once, and not counted as a failed handshake', async () => {
  const ingress = await ingressWith()
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.startTls()
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  wire.reset()
  await ingress.logged('connection failed')
  assert.equal(await sumOf(ingress, 'TlsHandshakesFailed'), 0)
  assert.equal(ingress.lines.filter(({ message }) => message === 'connection failed').length, 1)
})

const endings: [description: string, end: (wire: Wire) => unknown][] = [
  ['a reset', (wire) => wire.reset()],
  ['a FIN', (wire) => wire.destroy()],
  ['an alert', (wire) => wire.write(Buffer.from('15030100020228', 'hex'))],
]

for (const [description, end] of endings)
  test(`${description} during the handshake is counted as one failed handshake`, async () => {
    const ingress = await ingressWith()
    const wire = await Wire.greet(ingress.smtpPort)
    await wire.command('STARTTLS')
    // The beginning of a ClientHello.
    wire.write(Buffer.from(description === 'an alert' ? '' : '1603010200010001fc0303', 'hex'))
    end(wire)
    assert.equal((await ingress.logged('TLS handshake failed')).ip, '127.0.0.1')
    assert.equal(await sumOf(ingress, 'TlsHandshakesFailed'), 1)
  })

for (const isSendersFault of [true, false])
  test(`three jobs that SQS refuses with SenderFault ${isSendersFault} are ${isSendersFault ? 'no' : 'an'} outage`, async () => {
    const ingress = await ingressWith()
    ingress.queue.refuse = () => true
    ingress.queue.refusal = new JobRefusedError({ Id: '0', Code: 'Refused', SenderFault: isSendersFault })
    const wire = await Wire.greet(ingress.smtpPort)
    for (let time = 0; time < 3; time++) assert.match(await wire.send('Subject: x\r\n'), /^451 4\.3\.0 /)
    const health = await fetch(`http://127.0.0.1:${ingress.healthPort}/health`)
    assert.equal(await health.text(), isSendersFault ? 'ok\n' : 'storage is failing\n')
  })

test('a session gets 421 for the command after a hundred commands without a message', async () => {
  const ingress = await ingressWith()
  // EHLO is the first of the hundred.
  const wire = await Wire.greet(ingress.smtpPort)
  wire.write('NOOP\r\n'.repeat(100))
  for (let command = 0; command < 99; command++) assert.match(await wire.reply(), /^250 /)
  assert.match(await wire.reply(), /^421 4\.7\.0 Too many commands without a message/)
  assert.equal(await wire.line(), null)
})

/** Maximum of concurrent commits to storage. */
const concurrentCommits = 16

test('messages that wait for a commit are refused without an attempt when an outage begins', async () => {
  const ingress = await ingressWith()
  const events = operations(ingress)
  const { promise: timeout, reject: failStorage } = Promise.withResolvers<void>()
  ingress.bucket.after = () => timeout
  const replies: Promise<string>[] = []
  const wires = await Promise.all(
    Array.from({ length: concurrentCommits + 4 }, () => Wire.greet(ingress.smtpPort)),
  )
  for (const wire of wires.splice(0, concurrentCommits)) {
    replies.push(wire.send('Subject: x\r\n'))
    await events.next('PutObject')
  }
  for (const wire of wires) replies.push(wire.send('Subject: x\r\n'))
  // A whole session gives the earlier messages time to arrive.
  await Wire.greet(ingress.smtpPort)
  failStorage(Object.assign(new Error('timed out'), { name: 'TimeoutError' }))
  for (const reply of await Promise.all(replies)) assert.match(reply, /^451 4\.3\.0 /)
  assert.equal(ingress.bucket.operations.length, concurrentCommits)
})

test('a client that sends no octet of a message for three minutes gets 421', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] })
  const ingress = await ingressWith()
  const wire = await openDataPhase(ingress)
  wire.write('Subject: x\r\n')
  context.mock.timers.tick(181_000)
  assert.equal(await wire.reply(), '421 4.4.2 Timeout, closing connection')
  assert.equal(await wire.line(), null)
  assert.equal(ingress.queue.calls, 0)
})

test('a connection whose handshake is incomplete after one minute is closed without a reply and counted as TimedOut', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] })
  const ingress = await ingressWith()
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.command('STARTTLS')
  context.mock.timers.tick(59_000)
  // The beginning of a ClientHello.
  wire.write(Buffer.from('1603010200010001fc0303', 'hex'))
  context.mock.timers.tick(2_000)
  assert.equal(await wire.line(), null, 'a reply in the clear would break TLS')
  assert.equal(await sumOf(ingress, 'TlsHandshakesFailed'), 1)
  const [causeLine] = ingress.lines.filter((line) => 'TlsHandshakesFailed' in line && 'cause' in line)
  assert.deepEqual([causeLine?.cause, causeLine?.TlsHandshakesFailed], ['TimedOut', 1])
})
