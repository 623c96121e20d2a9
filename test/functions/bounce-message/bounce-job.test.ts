import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  type BounceDependencies,
  bounceJob,
  contentReference,
  type SentDsn,
} from '../../../functions/bounce-message/bounce-job.ts'
import { DsnLimits } from '../../../functions/bounce-message/dsn-limits.ts'
import { eventId } from '../../../shared/contract/events.ts'
import type { BounceJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import { EvaluationJob as EvaluationJobSchema } from '../../../shared/contract/jobs.ts'
import { basicEnvelope, type Envelope } from '../../../shared/contract/message.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { checkExtensions, traitsOf } from '../../../shared/net/esmtp.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { message, minutesLater, recipient } from '../../support/fixtures.ts'
import { readMultipart } from '../../support/multipart.ts'
import { recordingQueue } from '../../support/queue.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const whole = 'Subject: Hello\r\n\r\nBody\r\n'
const refusing = (name: string) => async (): Promise<never> => {
  throw Object.assign(new Error(`S3 answers ${name}`), { name })
}
const missing = refusing('NoSuchKey')

function unit(fields: Partial<BounceDependencies> = {}) {
  const evaluation = recordingQueue<EvaluationJob>()
  const objects = new Map<string, Buffer>()
  const claims = new Claims<SentDsn>(database.documents, database.messagesTable)
  const dependencies: BounceDependencies = {
    claims,
    evaluation,
    readHeaders: async () => Buffer.from('Subject: Hello\r\n'),
    read: async () => Buffer.from(whole),
    maxReturnedOctets: 1_000,
    async store(id, octets) {
      objects.set(id, octets)
      return contentReference('content', id, octets)
    },
    hostname: 'mx.ours.example',
    limits: new DsnLimits(database.documents, database.messagesTable),
    passesSpf: async () => false,
    retentionDays: 90,
    ...fields,
  }
  return {
    evaluation,
    objects,
    claims,
    /** @returns the id of the DSN that was sent; null when none was sent */
    run: async (job: BounceJob, now: Date) => (await bounceJob(job, now, dependencies)).sent?.dsn ?? null,
    result: async (job: BounceJob, now: Date) => (await bounceJob(job, now, dependencies)).sent,
    events: async (job: BounceJob, now: Date) => (await bounceJob(job, now, dependencies)).events,
  }
}

let serial = 0
const job = (kind: BounceJob['kind'] = 'failed'): BounceJob => ({
  message: message({
    id: `01KF0CVZT1${String(serial++).padStart(16, '0')}`,
    mailFrom: 'a@ours.example',
    attributedTo: 'own-server',
  }),
  kind,
  at: minutesLater(1).toISOString(),
  recipients: ['b@x.example', 'c@x.example'].map((address) => ({
    recipient: recipient({ address }),
    reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
    explanation: 'It was refused.',
    connector: null,
    willRetryUntil: null,
  })),
})

test('a bounce job with two recipients sends one DSN, as a new message from <>, to evaluation', async () => {
  const { run, evaluation, objects } = unit()
  const dsnJob = job()
  const dsn = await run(dsnJob, minutesLater(1))
  const [{ job: evaluate } = assert.fail('nothing was sent')] = evaluation.sent
  EvaluationJobSchema.parse(evaluate)
  assert.equal(evaluate.message.envelope.mailFrom, '')
  assert.deepEqual(
    evaluate.recipients.map(({ address }) => address),
    ['a@ours.example'],
  )
  const octets = objects.get(evaluate.message.id)
  assert.equal(dsn, evaluate.message.id)
  assert.equal(evaluate.message.content.length, octets?.length)
  assert.match(octets?.toString() ?? '', /<b@x\.example>.*<c@x\.example>/s)
  assert.equal(evaluate.message.headerMessageId, /^Message-ID: (.*)\r$/m.exec(octets?.toString() ?? '')?.[1])
})

test('a repeated bounce job sends no second DSN', async () => {
  const { run, evaluation } = unit()
  const dsnJob = job()
  await run(dsnJob, minutesLater(1))
  assert.equal(await run(dsnJob, minutesLater(2)), null)
  assert.equal(evaluation.sent.length, 1)
})

describe('the events of a bounce job', () => {
  const idsOf = async (dsnJob: BounceJob, minutes: number, { events }: ReturnType<typeof unit>) =>
    (await events(dsnJob, minutesLater(minutes))).map(({ id }) => id)
  const notified = ({ message: { id }, kind }: BounceJob, addresses = ['b@x.example', 'c@x.example']) =>
    addresses.map((address) => eventId('Notified', id, address, kind))

  test('are one for each reported recipient, and the same when the job is repeated', async () => {
    const worker = unit()
    const dsnJob = job()
    for (const minutes of [1, 2]) assert.deepEqual(await idsOf(dsnJob, minutes, worker), notified(dsnJob))
    assert.equal(worker.evaluation.sent.length, 1)
  })

  test('are at the time of the job whose DSN was sent, when a decision is repeated hours later', async () => {
    const worker = unit()
    const dsnJob = job()
    const later = { ...dsnJob, at: minutesLater(400).toISOString() }
    for (const each of [dsnJob, later])
      assert.deepEqual(
        new Set((await worker.events(each, minutesLater(401))).map(({ at }) => at)),
        new Set([dsnJob.at]),
      )
  })

  test('are complete when a worker died after it completed the claim of one of two recipients', async () => {
    const worker = unit()
    const dsnJob = job()
    const complete = worker.claims.complete.bind(worker.claims)
    worker.claims.complete = async (...call) => {
      worker.claims.complete = () => Promise.reject(new Error('died'))
      return complete(...call)
    }
    await assert.rejects(worker.run(dsnJob, minutesLater(1)), /died/)
    worker.claims.complete = complete
    assert.deepEqual((await idsOf(dsnJob, 3, worker)).sort(), notified(dsnJob).sort())
  })

  test('are none when no DSN is sent', async () => {
    const withNullPath = job()
    withNullPath.message.envelope.mailFrom = ''
    assert.deepEqual(await idsOf(withNullPath, 1, unit()), [])
    const suppressed = job('relayed')
    const unknown = { ...suppressed, message: { ...suppressed.message, attributedTo: null } }
    assert.deepEqual(await idsOf(unknown, 1, unit()), [])
  })
})

test('a delay DSN does not prevent the failure DSN for the same recipients', async () => {
  const { run, evaluation } = unit()
  const dsnJob = job('delayed')
  await run(dsnJob, minutesLater(1))
  await run({ ...dsnJob, kind: 'failed' }, minutesLater(2))
  assert.equal(evaluation.sent.length, 2)
})

test('a bounce job fails while another worker holds the claim, and sends the DSN once after the lease expired', async () => {
  const { run, evaluation } = unit()
  const dsnJob = job()
  evaluation.failOnce()
  await assert.rejects(run(dsnJob, minutesLater(1)), /the queue is away/)
  await assert.rejects(run(dsnJob, minutesLater(1)), /another worker/)
  const dsn = await run(dsnJob, minutesLater(3))
  assert.equal(evaluation.sent[0]?.job.message.id, dsn)
  assert.equal(evaluation.sent.length, 1)
})

test('a bounce worker that dies after it completed the claim of one of two recipients causes no second DSN', async () => {
  const { run, evaluation, claims } = unit()
  const dsnJob = job()
  const complete = claims.complete.bind(claims)
  let completions = 0
  claims.complete = async (...call) => {
    if (++completions === 2) throw new Error('the worker died')
    return complete(...call)
  }
  await assert.rejects(run(dsnJob, minutesLater(1)), /the worker died/)
  claims.complete = complete
  assert.equal(await run(dsnJob, minutesLater(3)), null)
  assert.equal(await run(dsnJob, minutesLater(5)), null)
  assert.equal(evaluation.sent.length, 1)
})

test('a bounce job whose worker died sends no second DSN, even if another job sent a DSN for one of its recipients in the meantime', async () => {
  const { run, evaluation, claims } = unit()
  const dsnJob = job()
  const third = dsnJob.recipients
    .slice(0, 1)
    .map((each) => ({ ...each, recipient: recipient({ address: 'd@x.example' }) }))
  const all = { ...dsnJob, recipients: [...dsnJob.recipients, ...third] }
  const complete = claims.complete.bind(claims)
  let completions = 0
  claims.complete = async (...call) => {
    if (++completions === 2) throw new Error('the worker died')
    return complete(...call)
  }
  await assert.rejects(run(all, minutesLater(1)), /the worker died/)
  claims.complete = complete
  await run({ ...dsnJob, recipients: third }, minutesLater(3))
  assert.equal(evaluation.sent.length, 2, 'the other job does not know the first')
  assert.equal(await run(all, minutesLater(3)), null)
  assert.equal(evaluation.sent.length, 2)
})

test('two DSNs with one message id and different octets have different keys, so that neither overwrites the other', () => {
  const [first, second] = ['1', '2'].map((text) => contentReference('content', 'ID', Buffer.from(text)))
  assert.notEqual(first?.key, second?.key)
})

test('a bounce job for a message from <> sends no DSN', async () => {
  const { run, evaluation } = unit()
  const dsnJob = job()
  assert.equal(await run({ ...dsnJob, message: message({ mailFrom: '' }) }, minutesLater(1)), null)
  assert.deepEqual(evaluation.sent, [])
})

describe('a DSN returns', () => {
  const returned = async (dsnJob: Partial<BounceJob>, fields: Partial<BounceDependencies> = {}) => {
    const { run, objects } = unit(fields)
    const dsn = await run({ ...job(), ...dsnJob }, minutesLater(1))
    return readMultipart(objects.get(dsn ?? '') ?? assert.fail('nothing was stored')).parts[2]
  }

  test('the whole message when the job has returnsContent', async () => {
    const part = await returned({ returnsContent: true })
    assert.deepEqual([part?.type, part?.text], ['message/rfc822', whole])
  })

  test('only the headers when the job does not have returnsContent', async () => {
    const part = await returned({})
    assert.deepEqual([part?.type, part?.text], ['text/rfc822-headers', 'Subject: Hello\r\n'])
  })

  test('only the headers of a message above the size limit, and reads only the headers', async () => {
    const part = await returned({ returnsContent: true }, { maxReturnedOctets: 999, read: missing })
    assert.deepEqual([part?.type, part?.text], ['text/rfc822-headers', 'Subject: Hello\r\n'])
  })

  test('nothing of a message whose content is deleted, and is sent without it', async () => {
    assert.equal(await returned({}, { readHeaders: missing }), undefined)
    assert.equal(await returned({ returnsContent: true }, { read: missing }), undefined)
  })

  test('nothing of a message that may not be read, and is sent without it', async () => {
    const denied = refusing('AccessDenied')
    assert.equal(await returned({}, { readHeaders: denied }), undefined)
    assert.equal(await returned({ returnsContent: true }, { read: denied }), undefined)
  })

  for (const name of [
    'RequestTimeTooSkewed',
    'ExpiredToken',
    'InvalidAccessKeyId',
    'SlowDown',
    'InternalError',
    'KMS.DisabledException',
    'TimeoutError',
  ])
    test(`nothing while S3 answers ${name}: the job fails, so that SQS retries it`, async () => {
      await assert.rejects(returned({}, { readHeaders: refusing(name) }), { name })
      await assert.rejects(returned({ returnsContent: true }, { read: refusing(name) }), { name })
    })
})

describe('the envelope of a DSN', () => {
  const envelopeOf = async (fields: Partial<Envelope>, headers = 'Subject: Hello\r\n') => {
    const { run, evaluation } = unit({ readHeaders: async () => Buffer.from(headers) })
    const dsnJob = job()
    const envelope = { ...dsnJob.message.envelope, ...fields }
    await run({ ...dsnJob, message: { ...dsnJob.message, envelope } }, minutesLater(1))
    const sent = evaluation.sent[0]?.job ?? assert.fail('nothing was sent')
    return { ...sent.message.envelope, to: sent.recipients.map(({ address, notify }) => [address, notify]) }
  }

  test('requests no SMTP extension, and repeats no DSN or 8BITMIME parameter of the message', async () => {
    assert.deepEqual(await envelopeOf({ dsn: { ret: 'FULL', envid: 'x' }, eightBitMime: true }), {
      ...basicEnvelope(''),
      to: [['a@ours.example', null]],
    })
  })

  test('requests REQUIRETLS when the message requested it (RFC 8689 §5)', async () => {
    assert.equal((await envelopeOf({ requireTls: true })).requireTls, true)
  })

  test('requests SMTPUTF8 only when the sender’s address needs it', async () => {
    const german = 'Subject: Gr\u00fc\u00dfe\r\n'
    const { smtpUtf8, eightBitMime } = await envelopeOf(
      { mailFrom: 'j\u00f6rg@ours.example', smtpUtf8: true },
      german,
    )
    assert.deepEqual([smtpUtf8, eightBitMime], [true, true])
    const plain = await envelopeOf({ smtpUtf8: true }, german)
    assert.deepEqual([plain.smtpUtf8, plain.eightBitMime], [false, false])
  })
})

describe('a DSN', () => {
  const german = Buffer.from('Subject: Gr\u00fc\u00dfe\r\n')
  const isAcceptedBy = async (mailFrom: string, extensions: string[]) => {
    const { run, evaluation, objects } = unit({ readHeaders: async () => german })
    const dsnJob = job()
    const envelope = { ...dsnJob.message.envelope, mailFrom, smtpUtf8: true }
    const recipients = dsnJob.recipients.map((each) => {
      const { address } = each.recipient
      return { ...each, recipient: recipient({ address: `jos\u00e9.${address}` }) }
    })
    await run({ ...dsnJob, message: { ...dsnJob.message, envelope }, recipients }, minutesLater(1))
    const { message: dsn, recipients: to } = evaluation.sent[0]?.job ?? assert.fail('nothing was sent')
    const traits = traitsOf(dsn.envelope, to, objects.get(dsn.id) ?? Buffer.of())
    return checkExtensions(traits, new Map(extensions.map((name) => [name, '']))) === null
  }
  const rows: [name: string, mailFrom: string, extensions: string[], accepted: boolean][] = [
    ['to an ASCII sender can be sent to a server without extensions', 'a@ours.example', [], true],
    [
      'to a non-ASCII sender can be sent to a server with SMTPUTF8',
      'j\u00f6rg@ours.example',
      ['SMTPUTF8', '8BITMIME'],
      true,
    ],
    [
      'to a non-ASCII sender cannot be sent to a server without SMTPUTF8',
      'j\u00f6rg@ours.example',
      ['8BITMIME'],
      false,
    ],
  ]
  for (const [name, mailFrom, extensions, accepted] of rows)
    test(`about internationalised mail ${name}`, async () => {
      assert.equal(await isAcceptedBy(mailFrom, extensions), accepted)
    })
})
