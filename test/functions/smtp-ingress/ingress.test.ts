/** The ingress with storage in memory: a message with 250 is stored, and a failure of storage gets 451. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, afterEach, test } from 'node:test'
import fc from 'fast-check'
import { ContentReader } from '../../../shared/content/content-reader.ts'
import { partOctets } from '../../../shared/content/large-content.ts'
import type { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { inbound } from '../../support/fixtures.ts'
import {
  startTestIngress,
  type TestIngress,
  type TestIngressOptions,
  Wire,
} from '../../support/ingress/ingress.ts'

const running = new Set<TestIngress>()

async function ingressWith(options: TestIngressOptions = {}): Promise<TestIngress> {
  const ingress = await startTestIngress(options)
  running.add(ingress)
  return ingress
}

async function drainAll(): Promise<void> {
  await Promise.all([...running].map((ingress) => ingress.drain()))
  running.clear()
}

afterEach(drainAll)
after(drainAll)

function gate(): { opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

function contentOf({ bucket }: TestIngress, { message }: EvaluationJob): Promise<Buffer> {
  return new ContentReader(bucket.client).read(message.content)
}

const body = (octets: Buffer): string => octets.toString().slice(octets.indexOf('\nSubject:') + 1)

test('the Received header names no recipient when there are several; two spellings of postmaster become one recipient', async () => {
  const ingress = await ingressWith({ acceptedDomains: ['ours.example'] })
  const wire = await Wire.greet(ingress.smtpPort)
  assert.match(
    await wire.send('Subject: x\r\n', 'a@elsewhere.example', ['b@ours.example', 'c@ours.example']),
    /^250 /,
  )
  assert.match(
    await wire.send('Subject: x\r\n', 'a@elsewhere.example', ['Postmaster@ours.example', 'postmaster']),
    /^250 /,
  )
  const [jobOfTwo, jobOfOne] = ingress.queue.jobs as [EvaluationJob, EvaluationJob]
  assert.doesNotMatch((await contentOf(ingress, jobOfTwo)).toString(), /[bc]@ours/)
  assert.deepEqual(
    jobOfOne.recipients.map(({ address }) => address),
    ['postmaster@ours.example'],
  )
})

test('a message is stored as sent, after one Received header, with a job for its recipients', async () => {
  const ingress = await ingressWith()
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.startTls({ servername: 'mx.ours.example' })
  await wire.command('MAIL FROM:<a@elsewhere.example> BODY=8BITMIME RET=HDRS ENVID=QQ314159')
  await wire.command('RCPT TO:<b@ours.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Btag@ours.example')
  await wire.command('DATA')
  wire.write('Subject: hello\r\n\r\n..stuffed\r\nlast\r\n')
  const reply = await wire.command('.')
  const [job] = ingress.queue.jobs
  assert.ok(job)
  assert.equal(reply, `250 2.0.0 Ok: queued as ${job.message.id}`)
  const { message, recipients, notBefore } = job
  const content = await contentOf(ingress, job)
  assert.equal(body(content), 'Subject: hello\r\n\r\n.stuffed\r\nlast\r\n')
  assert.match(
    content.toString(),
    new RegExp(
      `^Received: from client\\.example \\(\\[127\\.0\\.0\\.1\\]\\)\r\n\t\\(using TLSv1\\.3 with cipher TLS_AES_256_GCM_SHA384\\)\r\n` +
        `\tby mx\\.ours\\.example with ESMTPS id ${message.id}\r\n\tfor <b@ours\\.example>\r\n\ttls TLS_AES_256_GCM_SHA384;\r\n\t\\w{3}, \\d\\d \\w{3} \\d{4} [\\d:]{8} \\+0000\r\nSubject`,
    ),
  )
  assert.equal(notBefore, null)
  assert.equal(message.size, content.length)
  assert.equal(message.direction, 'Incoming')
  assert.equal(message.attributedTo, null)
  assert.deepEqual(message.envelope, {
    mailFrom: 'a@elsewhere.example',
    smtpUtf8: false,
    eightBitMime: true,
    requireTls: false,
    dsn: { ret: 'HDRS', envid: 'QQ314159' },
  })
  assert.deepEqual(message.tls, {
    negotiated: true,
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    group: null,
    forwardSecrecy: true,
    serverName: 'mx.ours.example',
    clientCertificate: null,
  })
  assert.deepEqual(recipients, [
    {
      address: 'b@ours.example',
      notify: ['SUCCESS', 'DELAY'],
      orcpt: 'rfc822;b+2Btag@ours.example',
      attempts: 0,
      lastAttempt: null,
      delayNotified: false,
    },
  ])
})

test('mail from the address of an OnPremises connector is attributed to the connector, with direction Originating', async () => {
  const connector = inbound({
    name: 'Headquarters',
    connectorType: 'OnPremises',
    senderDomains: ['*'],
    senderIpAddresses: ['127.0.0.1'],
    requireTls: false,
  })
  const ingress = await ingressWith({ inbound: [connector] })
  const wire = await Wire.greet(ingress.smtpPort)
  assert.match(await wire.send('Subject: x\r\n', 'a@ours.example', ['b@foreign.example']), /^250 /)
  const [job] = ingress.queue.jobs
  assert.equal(job?.message.direction, 'Originating')
  assert.equal(job?.message.attributedTo, connector.id)
})

test('recipients in the job have domains as A-labels, and `postmaster` without a domain gets the accepted domain that contains the host name', async () => {
  const ingress = await ingressWith({ acceptedDomains: ['xn--mller-kva.example', 'ours.example'] })
  const wire = await Wire.greet(ingress.smtpPort)
  const recipients = ['b@xn--mller-kva.example', 'b@müller.example', 'postmaster']
  assert.match(await wire.send('Subject: x\r\n', 'a@xn--mller-kva.example', recipients), /^250 /)
  const [job] = ingress.queue.jobs
  assert.equal(job?.message.envelope.mailFrom, 'a@xn--mller-kva.example')
  assert.deepEqual(
    job?.recipients.map(({ address }) => address),
    ['b@xn--mller-kva.example', 'postmaster@ours.example'],
  )
})

test("the gateway's postmaster is one of 100 recipients, however many of them name it, and keeps the address of RCPT TO as ORCPT", async () => {
  const ingress = await ingressWith({ acceptedDomains: ['ours.example', 'alpha.example'] })
  const wire = await Wire.greet(ingress.smtpPort)
  const mailboxes = Array.from({ length: 97 }, (_, index) => `user${index}@ours.example`)
  const postmasters = ['postmaster', 'postmaster@ours.example', 'PostMaster@mx.ours.example']
  assert.match(
    await wire.send('Subject: x\r\n', 'a@elsewhere.example', [...mailboxes, ...postmasters]),
    /^250 /,
  )
  const recipients = ingress.queue.jobs[0]?.recipients ?? []
  assert.deepEqual(
    recipients.map(({ address }) => address),
    [...mailboxes, 'postmaster@ours.example'],
  )
  assert.equal(recipients.at(-1)?.orcpt, 'rfc822;PostMaster@mx.ours.example')
})

const orcpts: [rcptTo: string, orcpt: string | null][] = [
  ['<postmaster@mx.ours.example>', 'rfc822;postmaster@mx.ours.example'],
  ['<"postmaster"@mx.ours.example>', 'rfc822;"postmaster"@mx.ours.example'],
  ['<postmaster@mx.ours.example> ORCPT=rfc822;x+2By@forward.example', 'rfc822;x+2By@forward.example'],
  ['<postmaster>', null],
  ['<postmaster@ours.example>', null],
]
for (const [rcptTo, orcpt] of orcpts)
  test(`the job for RCPT TO:${rcptTo} has ${orcpt === null ? 'no ORCPT' : `the ORCPT ${orcpt}`}`, async () => {
    const ingress = await ingressWith()
    const wire = await Wire.greet(ingress.smtpPort)
    await wire.command('MAIL FROM:<a@elsewhere.example>')
    await wire.command(`RCPT TO:${rcptTo} NOTIFY=FAILURE`)
    await wire.command('DATA')
    assert.match(await wire.command('Subject: x\r\n\r\n.'), /^250 /)
    assert.deepEqual(
      ingress.queue.jobs[0]?.recipients.map((recipient) => [
        recipient.address,
        recipient.notify,
        recipient.orcpt,
      ]),
      [['postmaster@ours.example', ['FAILURE'], orcpt]],
    )
  })

test("the gateway's postmaster is refused when there are neither accepted domains nor a configured mailbox", async () => {
  const ingress = await ingressWith({ acceptedDomains: [] })
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  assert.match(await wire.command('RCPT TO:<postmaster@mx.ours.example>'), /^550 5\.7\.64 /)
  assert.match(await wire.command('RCPT TO:<postmaster>'), /^550 5\.1\.2 /)
})

test('a refused MAIL leaves no parameters for the next MAIL', async () => {
  const ingress = await ingressWith()
  const wire = await Wire.greet(ingress.smtpPort)
  assert.match(
    await wire.command('MAIL FROM:<a@elsewhere.example> SMTPUTF8 RET=FULL ENVID=1 HOLD=1'),
    /^555 /,
  )
  assert.match(await wire.send('Subject: x\r\n'), /^250 /)
  const { smtpUtf8, dsn } = ingress.queue.jobs[0]?.message.envelope ?? {}
  assert.deepEqual({ smtpUtf8, dsn }, { smtpUtf8: false, dsn: { ret: null, envid: null } })
})

for (const first of ['content', 'job'] as const)
  test(`no 250 is sent before ${first === 'content' ? 'S3 has stored the content' : 'SQS has accepted the job'}`, async () => {
    const ingress = await ingressWith()
    const { opened, open } = gate()
    const reached = gate()
    const wait = async () => {
      reached.open()
      await opened
    }
    if (first === 'content') ingress.bucket.before = wait
    else ingress.queue.before = wait
    const wire = await Wire.greet(ingress.smtpPort)
    let isAnswered = false
    const reply = wire.send('Subject: x\r\n').finally(() => {
      isAnswered = true
    })
    await reached.opened
    // A second session's round trip gives a premature 250 time to arrive.
    await Wire.greet(ingress.smtpPort)
    assert.equal(isAnswered, false)
    if (first === 'content') assert.equal(ingress.queue.calls, 0, 'the job is sent after the content')
    open()
    assert.match(await reply, /^250 2\.0\.0 Ok: queued as /)
  })

test('when the content cannot be stored the client gets 451 and no job is sent', async () => {
  const ingress = await ingressWith()
  ingress.bucket.before = () => Promise.reject(new Error('secret-bucket-name is away'))
  const wire = await Wire.greet(ingress.smtpPort)
  assert.equal(
    await wire.send('Subject: x\r\n'),
    '451 4.3.0 Requested action not taken: local error, try again later',
  )
  assert.equal(ingress.queue.calls, 0)
  const refusalLine = ingress.lines.find(({ message }) => message === 'refused')
  assert.equal(refusalLine?.cause, 'Error: secret-bucket-name is away', 'the cause is in the log only')
})

test('when the queue refuses one of four jobs of a batch, only the message of that job gets 451', async () => {
  const ingress = await ingressWith()
  const { opened, open } = gate()
  ingress.bucket.before = () => opened
  ingress.queue.refuse = ({ message }) => message.envelope.mailFrom === 'bad@elsewhere.example'
  const senders = ['a', 'bad', 'b', 'c'].map((name) => `${name}@elsewhere.example`)
  const wires = await Promise.all(senders.map(() => Wire.greet(ingress.smtpPort)))
  const replies = wires.map((wire, index) => wire.send('Subject: x\r\n', senders[index]))
  open()
  const codes = (await Promise.all(replies)).map((reply) => reply.slice(0, 9))
  assert.deepEqual(codes, ['250 2.0.0', '451 4.3.0', '250 2.0.0', '250 2.0.0'])
  assert.deepEqual(
    ingress.queue.jobs.map(({ message }) => message.envelope.mailFrom).sort(),
    senders.filter((sender) => !sender.startsWith('bad')).sort(),
  )
})

test('a message with 250 recipients becomes three jobs, and gets 451 when the queue refuses one of them', async () => {
  const ingress = await ingressWith()
  const recipients = Array.from({ length: 250 }, (_, index) => `r${index}@ours.example`)
  const wire = await Wire.greet(ingress.smtpPort)
  ingress.queue.refuse = (job) => job.recipients.some(({ address }) => address === 'r249@ours.example')
  assert.match(await wire.send('Subject: x\r\n', undefined, recipients), /^451 4\.3\.0 /)
  ingress.queue.refuse = () => false
  ingress.queue.jobs.length = 0
  assert.match(await wire.send('Subject: x\r\n', undefined, recipients), /^250 /)
  assert.deepEqual(
    ingress.queue.jobs.map((job) => job.recipients.length),
    [100, 100, 50],
  )
  assert.deepEqual(
    ingress.queue.jobs.flatMap((job) => job.recipients.map(({ address }) => address)),
    recipients,
  )
})

test('concurrent messages of any lines are stored unchanged and can be read', async () => {
  const ingress = await ingressWith()
  // Lines of any octets except CR, LF and NUL; a line may be empty or begin with a dot.
  const line = fc
    .uint8Array({ maxLength: 60 })
    .map((octets) =>
      Buffer.from(octets.map((octet) => (octet === 0 || octet === 10 || octet === 13 ? 46 : octet))),
    )
  const message = fc.array(line, { maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 8 }), async (messages) => {
      const { opened, open } = gate()
      ingress.bucket.before = () => opened
      ingress.queue.jobs.length = 0
      const crlf = Buffer.from('\r\n')
      const originals = messages.map((lines) => Buffer.concat(lines.flatMap((each) => [each, crlf])))
      const dotStuffed = messages.map((lines) =>
        Buffer.concat(lines.flatMap((each) => [Buffer.from(each[0] === 46 ? '.' : ''), each, crlf])),
      )
      const wires = await Promise.all(messages.map(() => Wire.greet(ingress.smtpPort)))
      const replies = wires.map((wire, index) =>
        wire.send(dotStuffed[index] ?? '', `m${index}@elsewhere.example`, ['b@ours.example']),
      )
      open()
      for (const reply of await Promise.all(replies)) assert.match(reply, /^250 /)
      for (const job of ingress.queue.jobs) {
        const content = await contentOf(ingress, job)
        const index = Number(/^m(\d+)@/.exec(job.message.envelope.mailFrom)?.[1])
        const header = content.subarray(0, content.indexOf('+0000\r\n') + '+0000\r\n'.length)
        const body = originals[index] ?? Buffer.alloc(0)
        // An empty line separates white space at the start from the ingress's Received field.
        const separator = body[0] === 9 || body[0] === 32 ? [crlf] : []
        assert.deepEqual(content.subarray(header.length), Buffer.concat([...separator, body]))
      }
      assert.equal(ingress.queue.jobs.length, messages.length)
      for (const wire of wires) wire.destroy()
    }),
    { numRuns: 15 },
  )
})

test('messages that arrive during a write share an object in the bucket', async () => {
  const ingress = await ingressWith()
  const { opened, open } = gate()
  const first = await Wire.greet(ingress.smtpPort)
  ingress.bucket.before = () => opened
  const firstReply = first.send('Subject: first\r\n')
  const wires = await Promise.all(Array.from({ length: 20 }, () => Wire.greet(ingress.smtpPort)))
  const replies = wires.map((wire) => wire.send('Subject: x\r\n'))
  open()
  await Promise.all([firstReply, ...replies])
  assert.equal(ingress.queue.jobs.length, 21)
  assert.ok(ingress.bucket.objects.size < 21, `${ingress.bucket.objects.size} objects`)
  assert.equal(ingress.bucket.operations.filter((operation) => operation !== 'PutObject').length, 0)
})

/** 30 MB of lines. */
const large = Buffer.alloc(30_000_000, `${'0123456789'.repeat(7)}abcdef\r\n`)
large.write('Subject: large\r\n\r\n')
const largeEnd = large.subarray(0, large.lastIndexOf('\r\n') + 2)

test('a 30 MB message is stored unchanged as its own object, in a multipart upload', async () => {
  const ingress = await ingressWith()
  const wire = await Wire.greet(ingress.smtpPort)
  assert.match(await wire.send(largeEnd), /^250 /)
  const [job] = ingress.queue.jobs
  assert.ok(job)
  assert.deepEqual(ingress.bucket.operations, [
    'CreateMultipartUpload',
    ...Array.from({ length: 6 }, () => 'UploadPart'),
    'CompleteMultipartUpload',
  ])
  assert.equal(ingress.bucket.maxBodyOctets, partOctets)
  assert.equal(job.message.content.offset, 0)
  const content = await contentOf(ingress, job)
  assert.deepEqual(content.subarray(content.length - largeEnd.length), largeEnd)
  assert.equal(createHash('sha256').update(content).digest('hex'), job.message.content.sha256)
  assert.ok(content.subarray(0, 10).equals(Buffer.from('Received: ')))
})

test('a 30 MB message gets 451 when an UploadPart fails, and the upload is aborted', async () => {
  const ingress = await ingressWith()
  ingress.bucket.before = (operation) =>
    operation === 'UploadPart' ? Promise.reject(new Error('away')) : Promise.resolve()
  const wire = await Wire.greet(ingress.smtpPort)
  assert.match(await wire.send(largeEnd), /^451 4\.3\.0 /)
  assert.equal(ingress.bucket.operations.at(-1), 'AbortMultipartUpload')
  assert.equal(ingress.queue.calls, 0)
  assert.match(await wire.command('NOOP'), /^250 /)
})

test('a client that disconnects during a large message leaves nothing in the bucket', async () => {
  const ingress = await ingressWith()
  const wire = await Wire.greet(ingress.smtpPort)
  for (const command of ['MAIL FROM:<a@elsewhere.example>', 'RCPT TO:<b@ours.example>', 'DATA'])
    await wire.command(command)
  wire.write(largeEnd.subarray(0, 3_000_000))
  wire.destroy()
  await ingress.logged('client gave up a message')
  assert.deepEqual(ingress.bucket.operations, [])
  assert.equal(ingress.queue.calls, 0)
})

test('a drain waits for the message in flight, sends 421 to an idle client, and accepts no new client', async () => {
  const ingress = await ingressWith()
  const { opened, open } = gate()
  const reached = gate()
  ingress.bucket.before = async () => {
    reached.open()
    await opened
  }
  const busy = await Wire.greet(ingress.smtpPort)
  const idle = await Wire.greet(ingress.smtpPort)
  const reply = busy.send('Subject: in flight\r\n')
  await reached.opened
  const drained = ingress.drain()
  assert.equal(await idle.reply(), '421 4.3.2 Service shutting down, try again later')
  assert.equal(await idle.line(), null)
  assert.equal(await (await fetch(`http://127.0.0.1:${ingress.healthPort}/health`)).text(), 'draining\n')
  assert.equal(await (await Wire.open(ingress.smtpPort)).line(), null, 'the port is closed')
  open()
  assert.match(await reply, /^250 2\.0\.0 Ok: queued as /)
  assert.equal(await busy.reply(), '421 4.3.2 Service shutting down, try again later')
  await drained
  assert.equal(ingress.queue.jobs.length, 1)
  running.delete(ingress)
})

test('while storage fails, new clients get 421 and GET /health gets 503; clients and health check work when storage works again', async () => {
  const ingress = await ingressWith()
  const health = async () => {
    const response = await fetch(`http://127.0.0.1:${ingress.healthPort}/health`)
    return `${response.status} ${await response.text()}`
  }
  assert.equal(await health(), '200 ok\n')
  const probed = gate()
  let failing = true
  ingress.bucket.before = async () => {
    if (failing) throw new Error('away')
    probed.open()
  }
  const wire = await Wire.greet(ingress.smtpPort)
  for (let time = 0; time < 3; time++) assert.match(await wire.send('Subject: x\r\n'), /^451 4\.3\.0 /)
  assert.equal(await health(), '503 storage is failing\n')
  const refusedClient = await Wire.open(ingress.smtpPort)
  assert.equal(await refusedClient.reply(), '421 4.3.2 Service not available, try again later')
  assert.equal(await refusedClient.line(), null)
  assert.match(await wire.command('MAIL FROM:<a@elsewhere.example>'), /^451 4\.3\.0 /)
  failing = false
  await probed.opened
  const acceptedClient = await Wire.greet(ingress.smtpPort)
  assert.match(await acceptedClient.send('Subject: x\r\n'), /^250 /)
  assert.equal(await health(), '200 ok\n')
})

test('the health server responds with 404 to GET / and POST /health', async () => {
  const ingress = await ingressWith()
  const statuses = await Promise.all(
    [
      ['GET', '/'],
      ['POST', '/health'],
    ].map(async ([method = '', path]) => {
      const response = await fetch(`http://127.0.0.1:${ingress.healthPort}${path}`, { method })
      return response.status
    }),
  )
  assert.deepEqual(statuses, [404, 404])
})

test('the metrics count accepted messages and refusals; each accepted message has one log line', async () => {
  const ingress = await ingressWith()
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.startTls()
  await wire.send('Subject: x\r\n')
  await wire.send('Subject: x\r\n')
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  await wire.command('RCPT TO:<b@foreign.example>')
  await ingress.drain()
  running.delete(ingress)
  const metrics = ingress.lines.filter((line) => '_aws' in line)
  assert.equal(metrics.find(({ tls }) => tls === 'negotiated')?.MessagesAccepted, 2)
  assert.equal(metrics.find(({ version }) => version === 'TLSv1.3')?.AcceptedByTlsVersion, 2)
  assert.equal(metrics.find(({ reason }) => reason === 'RelayDenied')?.Refused, 1)
  const accepted = ingress.lines.filter(({ message }) => message === 'accepted')
  assert.equal(accepted.length, 2)
  const { id, mailFrom, recipients, ip, tls } = accepted[0] ?? {}
  assert.deepEqual(
    { id, mailFrom, recipients, ip, tls },
    {
      id: ingress.queue.jobs[0]?.message.id,
      mailFrom: 'a@elsewhere.example',
      recipients: 1,
      ip: '127.0.0.1',
      tls: 'TLSv1.3',
    },
  )
})

test('metrics are written every ten seconds, the days left of the certificate every minute', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] })
  const ingress = await ingressWith()
  const linesWith = (metric: string) => ingress.lines.filter((line) => metric in line)
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.send('Subject: x\r\n')
  context.mock.timers.tick(10_000)
  assert.deepEqual(
    linesWith('MessagesAccepted').map(({ tls, MessagesAccepted }) => [tls, MessagesAccepted]),
    [['plaintext', 1]],
  )
  assert.deepEqual(
    linesWith('AcceptedByTlsVersion').map(({ version, AcceptedByTlsVersion }) => [
      version,
      AcceptedByTlsVersion,
    ]),
    [['none', 1]],
  )
  assert.equal(linesWith('Connections')[0]?.Connections, 1)
  assert.equal(linesWith('CertificateDaysLeft').length, 0)
  context.mock.timers.tick(50_000)
  assert.equal(linesWith('CertificateDaysLeft').length, 1)
  assert.equal(linesWith('MessagesAccepted').length, 1)
})

test('failed stores are logged as errors and counted; a refusal without an attempt to store is not', async () => {
  const ingress = await ingressWith()
  ingress.bucket.before = () => Promise.reject(new Error('away'))
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  assert.match(await wire.command('RCPT TO:<b@foreign.example>'), /^550 /)
  await wire.command('RSET')
  for (let time = 0; time < 3; time++) assert.match(await wire.send('Subject: x\r\n'), /^451 4\.3\.0 /)
  assert.match(await wire.command('MAIL FROM:<a@elsewhere.example>'), /^451 4\.3\.0 /)
  await ingress.drain()
  running.delete(ingress)
  assert.deepEqual(
    ingress.lines.filter(({ message }) => message === 'refused').map(({ level, reason }) => [level, reason]),
    [
      ['info', 'RelayDenied'],
      ...Array.from({ length: 3 }, () => ['error', 'StorageUnavailable']),
      ['info', 'StorageUnavailable'],
    ],
  )
  const failures = ingress.lines.filter((line) => 'StorageFailures' in line)
  assert.deepEqual(
    failures.map(({ StorageFailures }) => StorageFailures),
    [3],
  )
})

test('refusals for session limits and for the order of commands are counted and logged by reason', async () => {
  const ingress = await ingressWith({ settings: { MAX_CONNECTIONS: 1 } })
  const wire = await Wire.greet(ingress.smtpPort)
  assert.match(await (await Wire.open(ingress.smtpPort)).reply(), /^421 4\.3\.2 /)
  for (let time = 0; time < 2; time++) assert.match(await wire.command('DATA'), /^503 5\.5\.1 /)
  await ingress.drain()
  running.delete(ingress)
  const counts = ingress.lines.flatMap(({ reason, Refused }) => (Refused ? [[reason, Refused]] : []))
  assert.deepEqual(counts, [
    ['TooManySessions', 1],
    ['BadSequence', 2],
  ])
  assert.deepEqual(
    ingress.lines.filter(({ message }) => message === 'refused').map(({ reason }) => reason),
    ['TooManySessions', 'BadSequence', 'BadSequence'],
  )
})

test('a client that sends no ClientHello after STARTTLS is counted as a failed handshake; the next client is served', async () => {
  const ingress = await ingressWith()
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.command('STARTTLS')
  wire.write('this is no ClientHello\r\n')
  await wire.end()
  const otherClient = await Wire.greet(ingress.smtpPort)
  assert.match(await otherClient.send('Subject: x\r\n'), /^250 /)
  await ingress.drain()
  running.delete(ingress)
  assert.ok(ingress.lines.some((line) => line.TlsHandshakesFailed === 1))
})

test('a connection beyond MAX_CONNECTIONS gets 421 in place of the greeting', async () => {
  const ingress = await ingressWith({ settings: { MAX_CONNECTIONS: 1 } })
  await Wire.greet(ingress.smtpPort)
  const second = await Wire.open(ingress.smtpPort)
  assert.equal(await second.reply(), '421 4.3.2 Too many connections, try again later')
})

test('the start of the ingress rejects with EADDRINUSE when its SMTP port is in use', async () => {
  const occupiedServer = createServer().listen(0, '127.0.0.1')
  await once(occupiedServer, 'listening')
  const { port } = occupiedServer.address() as { port: number }
  await assert.rejects(startTestIngress({ settings: { SMTP_PORT: port } }), { code: 'EADDRINUSE' })
  occupiedServer.close()
})
