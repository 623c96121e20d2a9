/** DSNs to senders that nothing identifies: what a victim gets when the sender is forged. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { UpdateCommand } from '@aws-sdk/lib-dynamodb'
import {
  type BounceDependencies,
  bounceJob,
  contentReference,
  type SentDsn,
} from '../../../functions/bounce-message/bounce-job.ts'
import { DsnLimits, maxDsnsPerHour, maxQueriesPerHour } from '../../../functions/bounce-message/dsn-limits.ts'
import type { BounceJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import { basicEnvelope, type Message } from '../../../shared/contract/message.ts'
import { clientNetwork } from '../../../shared/limits/client-network.ts'
import { headerSection } from '../../../shared/mail/header-section.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { dsnRateKey } from '../../../shared/messages/message-keys.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { message, minutesLater, recipient } from '../../support/fixtures.ts'
import { readMultipart } from '../../support/multipart.ts'
import { recordingQueue } from '../../support/queue.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const received =
  'Received: from mail.elsewhere.example\r\n\tby mx.ours.example with ESMTPS id x;\r\n\tThu, 15 Jan 2026 10:00:00 +0000\r\n'

/** Counts as many queries of other messages. @returns all counted queries */
async function addQueries(key: object, added: number): Promise<number> {
  const { Attributes } = await database.documents.send(
    new UpdateCommand({
      TableName: database.messagesTable,
      Key: key,
      UpdateExpression: 'ADD queries :added',
      ExpressionAttributeValues: { ':added': added },
      ReturnValues: 'UPDATED_NEW',
    }),
  )
  return Attributes?.queries
}

/** A message of this many octets, without the field that the ingress added. */
function messageOf(octets: number): Buffer {
  const header = 'From: a@victim.example\r\nTo: b@ours.example\r\nSubject: Hello\r\nX-Long: x\r\n\r\n'
  const body = `${'x'.repeat(70)}\r\n`.repeat(octets / 72 + 1)
  return Buffer.from(`${received}${header}${body.slice(0, Math.max(0, octets - header.length - 2))}\r\n`)
}

function unit(octets: Buffer, isAuthenticated = false) {
  /** Attempts to store a DSN that fail from now on. */
  const failing = { attempts: 0 }
  const evaluation = recordingQueue<EvaluationJob>()
  const limits = new DsnLimits(database.documents, database.messagesTable)
  const sizes: number[] = []
  const dsns: Buffer[] = []
  let authentications = 0
  const dependencies: BounceDependencies = {
    claims: new Claims<SentDsn>(database.documents, database.messagesTable),
    evaluation,
    readHeaders: async () => headerSection(octets),
    read: async () => octets,
    maxReturnedOctets: 100_000,
    async store(id, dsn) {
      if (failing.attempts-- > 0) throw new Error('S3 is away')
      sizes.push(dsn.length)
      dsns.push(dsn)
      return contentReference('content', id, dsn)
    },
    hostname: 'mx.ours.example',
    retentionDays: 90,
    limits,
    passesSpf: async () => {
      authentications++
      return isAuthenticated
    },
  }
  return {
    dsns,
    failing,
    limits,
    sent: () => sizes.reduce((sum, size) => sum + size, 0),
    authentications: () => authentications,
    run: async (job: BounceJob, now = minutesLater(1)) => (await bounceJob(job, now, dependencies)).sent,
  }
}

let serial = 0
function messageFor(octets: Buffer, fields: Partial<Message> = {}): Message {
  return message({
    id: `01KF0CVZT2${String(serial++).padStart(16, '0')}`,
    mailFrom: `a@victim${serial}.example`,
    size: octets.length,
    ...fields,
  })
}

const jobOf = (
  sent: Message,
  recipients: number,
  kind: BounceJob['kind'] = 'failed',
  from = 0,
): BounceJob => ({
  message: sent,
  kind,
  at: minutesLater(1).toISOString(),
  recipients: Array.from({ length: recipients }, (_, index) => ({
    recipient: recipient({ address: `unknown-${from + index}@ours.example` }),
    reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
    explanation: 'The next hop refused it.',
    connector: null,
    willRetryUntil: null,
  })),
})

describe('the DSNs of a message whose sender nothing identifies are no larger than the message', () => {
  for (const [title, size, jobs, recipients] of [
    ['a tiny message to one mailbox', 200, 1, 1],
    ['a message of 1 KB to one mailbox', 1_000, 1, 1],
    ['a message of 2 KB to one mailbox', 2_000, 1, 1],
    ['a message of 4 KB to one mailbox', 4_000, 1, 1],
    ['a message of 4 KB to a hundred mailboxes', 4_000, 1, 100],
    ['a message of 17 KB to five hundred mailboxes', 17_000, 5, 100],
    ['a message of 17 KB to a hundred domains with one mailbox each', 17_000, 100, 1],
    ['a message of 100 KB to five hundred mailboxes', 100_000, 5, 100],
    ['a message of 1 MB to five hundred mailboxes', 1_000_000, 5, 100],
    ['a message of 200 octets to five hundred mailboxes', 200, 5, 100],
  ] as const)
    it(`${title}`, async (context) => {
      const octets = messageOf(size)
      const { run, sent } = unit(octets)
      const original = messageFor(octets)
      for (let number = 0; number < jobs; number++)
        await run(jobOf(original, recipients, 'failed', number * recipients))
      context.diagnostic(`${size} octets in, ${sent()} octets out`)
      assert.ok(sent() <= octets.length - received.length, `${sent()} octets`)
      assert.equal(sent() > 0, size >= 2_000)
    })

  it('also when the DSN is first delayed and then failed', async () => {
    const octets = messageOf(3_000)
    const { run, sent, dsns } = unit(octets)
    const original = messageFor(octets)
    for (const kind of ['delayed', 'failed'] as const) await run(jobOf(original, 1, kind))
    assert.ok(sent() <= 3_000 && dsns.length >= 1, `${dsns.length} DSNs, ${sent()} octets`)
  })

  it('and names as many recipients as fit, and the number of the others', async () => {
    const octets = messageOf(6_000)
    const { run, dsns } = unit(octets)
    await run(jobOf(messageFor(octets), 100))
    const [text] = readMultipart(dsns[0] ?? assert.fail('no DSN')).parts
    const body = String(text?.octets)
    const listed = body.match(/<unknown-\d+@/g)?.length ?? 0
    assert.ok(listed > 1 && listed < 100, `${listed} listed`)
    assert.match(body, new RegExp(`also concerns ${100 - listed} more recipients`))
  })

  it('and returns only the fields by which a person recognises the message', async () => {
    const octets = messageOf(6_000)
    const { run, dsns } = unit(octets)
    await run({ ...jobOf(messageFor(octets), 1), returnsContent: true })
    const dsn = String(dsns[0])
    assert.match(dsn, /Subject: Hello\r\n/)
    assert.doesNotMatch(dsn, /X-Long|xxx/)
  })
})

describe('a sender that nothing identifies', () => {
  it('gets no success DSN', async () => {
    const octets = messageOf(6_000)
    const { run, sent } = unit(octets)
    const original = messageFor(octets)
    for (const kind of ['relayed', 'delivered'] as const)
      assert.deepEqual(await run(jobOf(original, 1, kind)), { dsn: null, suppressed: 'SenderUnverified' })
    assert.equal(sent(), 0)
  })

  it('gets success DSNs, and a DSN larger than the message, when SPF vouches', async () => {
    const octets = messageOf(200)
    const { run, dsns } = unit(octets, true)
    const original = messageFor(octets)
    assert.ok((await run(jobOf(original, 1, 'relayed')))?.dsn)
    assert.ok((await run(jobOf(original, 1, 'failed')))?.dsn)
    assert.equal(dsns.length, 2)
  })

  it('gets a DSN about every recipient, and the message if requested, when SPF vouches', async () => {
    const octets = messageOf(6_000)
    const { run, dsns, authentications } = unit(octets, true)
    await run(jobOf(messageFor(octets), 100))
    assert.equal(String(dsns[0]).match(/Final-Recipient/g)?.length, 100)
    await run({ ...jobOf(messageFor(octets), 1), returnsContent: true })
    assert.match(String(dsns[1]), /message\/rfc822\r\n/)
    assert.equal(authentications(), 2)
  })

  for (const [what, domain, ip] of [
    ['its domain was looked up often', () => 'queries.example', (number: number) => `2001:db8:${number}::1`],
    ['its client caused many queries', (number: number) => `d${number}.example`, () => '192.0.2.200'],
  ] as const)
    it(`is not looked up in DNS once ${what} in an hour`, async () => {
      const octets = messageOf(200)
      const { run, authentications, limits } = unit(octets)
      for (let number = 2; number < 20; number++)
        assert.ok(await limits.takeQuery(domain(number), ip(number), minutesLater(1), 2_000_000_000))
      const counted = domain(0) === domain(1) ? domain(0) : clientNetwork(ip(0))
      const key = dsnRateKey(counted, minutesLater(1).toISOString().slice(0, 13))
      assert.equal(await addQueries(key, maxQueriesPerHour - 20), maxQueriesPerHour - 2)
      for (let number = 0; number < 5; number++) {
        const sent = messageFor(octets, { envelope: basicEnvelope(`a@${domain(number)}`) })
        await run(jobOf({ ...sent, source: sent.source && { ...sent.source, ip: ip(number) } }, 1))
      }
      assert.equal(authentications(), 2)
    })

  it('is not looked up in DNS for a DSN that is within the limits', async () => {
    const octets = messageOf(6_000)
    const { run, authentications } = unit(octets)
    await run(jobOf(messageFor(octets), 1))
    assert.equal(authentications(), 0)
  })

  it('gets a limited number of DSNs per hour and domain, of all messages together', async () => {
    const octets = messageOf(6_000)
    const { run } = unit(octets)
    const mailFrom = 'a@flooded.example'
    const results: (SentDsn | null)[] = []
    for (let number = 0; number <= maxDsnsPerHour; number++)
      results.push(await run(jobOf(messageFor(octets, { envelope: basicEnvelope(mailFrom) }), 1)))
    assert.equal(results.filter((result) => result?.dsn).length, maxDsnsPerHour)
    assert.deepEqual(results.at(-1), { dsn: null, suppressed: 'Rate' })
    const later = await run(
      jobOf(messageFor(octets, { envelope: basicEnvelope(mailFrom) }), 1),
      minutesLater(61),
    )
    assert.ok(later?.dsn)
  })

  it('gets no second answer for a job that is repeated after its DSN was suppressed', async () => {
    const octets = messageOf(200)
    const { run } = unit(octets)
    const job = jobOf(messageFor(octets), 2)
    assert.deepEqual(await run(job), { dsn: null, suppressed: 'TooLarge' })
    assert.equal(await run(job), null)
  })
})

describe('a job that is repeated because its DSN could not be stored', () => {
  it('sends the DSN, which is counted once', async () => {
    const octets = messageOf(3_000)
    const { run, failing, dsns, sent, limits } = unit(octets)
    const original = messageFor(octets)
    const job = jobOf(original, 1)
    failing.attempts = 20
    for (let attempt = 0; attempt < 20; attempt++)
      await assert.rejects(run(job, minutesLater(1 + 2 * attempt)), /S3 is away/)
    assert.ok((await run(job, minutesLater(45)))?.dsn)
    assert.equal(dsns.length, 1)
    assert.equal(await limits.sentOctets(original.id, 'another'), sent())
    assert.ok(sent() <= 3_000)
  })

  it('sends a DSN of the same octets when many recipients do not fit', async () => {
    const octets = messageOf(6_000)
    const { run, failing, dsns } = unit(octets)
    const { run: runOnce, dsns: expected } = unit(octets)
    const original = messageFor(octets)
    failing.attempts = 1
    await assert.rejects(run(jobOf(original, 100)), /S3 is away/)
    await run(jobOf(original, 100), minutesLater(3))
    await runOnce(jobOf({ ...original, id: messageFor(octets).id }, 100), minutesLater(3))
    assert.equal(dsns[0]?.length, expected[0]?.length)
  })
})

describe('the limits of DSNs', () => {
  const limitsOf = () => new DsnLimits(database.documents, database.messagesTable)

  it('count a DSN once, also when an answer of the table is lost, and then as counted', async () => {
    const limits = limitsOf()
    for (let attempt = 0; attempt < 3; attempt++)
      assert.equal(await limits.takeOctets('message-1', 'dsn-1', 600, 1_000, 2_000_000_000), true)
    assert.equal(await limits.takeOctets('message-1', 'dsn-2', 401, 1_000, 2_000_000_000), false)
    assert.equal(await limits.takeOctets('message-1', 'dsn-2', 400, 1_000, 2_000_000_000), true)
    assert.equal(await limits.sentOctets('message-1', 'dsn-1'), 400)
    assert.equal(await limits.sentOctets('message-1', 'dsn-3'), 1_000)
  })

  it('count the DSNs to a domain', async () => {
    const limits = limitsOf()
    const take = (dsn: number) =>
      limits.takeRate('once.example', `dsn-${dsn}`, minutesLater(1), 2_000_000_000)
    for (let dsn = 0; dsn < maxDsnsPerHour; dsn++) assert.equal(await take(dsn), true)
    assert.deepEqual(await Promise.all([take(0), take(maxDsnsPerHour), take(maxDsnsPerHour - 1)]), [
      true,
      false,
      true,
    ])
  })
})

describe('a client that an OnPremises connector identified, and mailflow itself', () => {
  for (const fields of [{ attributedTo: 'own-server' }, { source: null }])
    it(`get whole DSNs without limits: ${JSON.stringify(fields)}`, async () => {
      const octets = messageOf(200)
      const { run, sent } = unit(octets)
      const original = messageFor(octets, fields)
      assert.ok((await run(jobOf(original, 100)))?.dsn)
      assert.ok((await run(jobOf(original, 1, 'relayed')))?.dsn)
      assert.ok(sent() > 10_000)
    })
})
