/** evaluate-policy handles the certificates of decided messages, and notices from its queue. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import type { EvaluateDependencies } from '../../../functions/evaluate-policy/evaluate-job.ts'
import { type PublishedNotice, publishNotice } from '../../../functions/evaluate-policy/publish-notice.ts'
import { watchCertificates } from '../../../functions/evaluate-policy/watch-certificates.ts'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import type { MailEvent } from '../../../shared/contract/events.ts'
import type {
  BounceJob,
  CertificateNotice,
  DeliveryJob,
  EvaluationJob,
} from '../../../shared/contract/jobs.ts'
import type { ClientCertificate } from '../../../shared/contract/message.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { ContentAddressedStore } from '../../../shared/messages/content-addressed-store.ts'
import { DailyNoticeLimit } from '../../../shared/messages/daily-notice-limit.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import { UnknownCertificateList } from '../../../shared/messages/unknown-certificate-list.ts'
import { UnknownCertificateStore } from '../../../shared/messages/unknown-certificate-store.ts'
import { KeptRequirement } from '../../../shared/policy/kept-requirement.ts'
import { NoticeQueue } from '../../../shared/queues/notice-queue.ts'
import type { Announcement } from '../../../shared/queues/topic-publisher.ts'
import type { ObservedChange } from '../../../shared/tls/observed/observation.ts'
import { ObservedList } from '../../../shared/transport/observed-list.ts'
import { ObservedTable } from '../../../shared/transport/observed-table.ts'
import { decide } from '../../support/decide.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import {
  authenticatedMessage,
  certificateFactsWith,
  certificateNotice,
  inbound,
  minutesLater,
  outbound,
  overTlsWith,
  receivedAt,
  recipient,
  snapshot,
} from '../../support/fixtures.ts'
import { normalPriority, recordingQueue } from '../../support/queue.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

let serial = 0
const logger = new Logger({ logLevel: 'SILENT' })

/** A unit with the shared table and its own connector. */
function unit(fields: Partial<InboundConnector> = {}) {
  serial += 1
  const connector = inbound({
    id: `c${serial}`,
    restrictDomainsToCertificate: true,
    tlsSenderCertificateNames: ['mail.contoso.example'],
    onViolation: 'Defer',
    ...fields,
  })
  const rules = snapshot({
    inbound: [connector],
    outbound: [
      outbound({
        recipientDomains: ['ours.example'],
        route: 'SmartHosts',
        smartHosts: [{ host: 'mailbox.ours.example', port: 25 }],
      }),
    ],
  })
  const { documents, messagesTable, transportTable } = database
  const queues = {
    evaluation: recordingQueue<EvaluationJob>(),
    authentication: recordingQueue<EvaluationJob>(),
    delivery: recordingQueue<DeliveryJob>(),
    bounce: recordingQueue<BounceJob>(),
  }
  const dependencies: EvaluateDependencies = {
    trace: new Trace(documents, messagesTable),
    queues,
    settings: { defaultRoute: 'Mx' },
    requirements: new ContentAddressedStore(
      database.documents,
      database.messagesTable,
      'requirement',
      KeptRequirement,
    ),
    priorities: normalPriority,
    hostname: 'mail.ours.example',
    retentionDays: 90,
  }
  const accepted = new ObservedList(documents, transportTable)
  const table = new ObservedTable(documents, transportTable)
  const changes: ObservedChange[] = []
  const observations = {
    table,
    async publish(_place: unknown, change: ObservedChange) {
      changes.push(change)
    },
  }
  const noticeQueue = recordingQueue<CertificateNotice>()
  const away = { queue: false, topic: false }
  const notices = new NoticeQueue({
    async trySend(outgoing) {
      if (away.queue) return outgoing.map(() => new Error('the queue is down'))
      noticeQueue.sent.push(...outgoing)
      return outgoing.map(() => null)
    },
  })
  const published: Announcement[] = []
  const events: MailEvent[] = []
  const addEvent = (event: MailEvent) => void events.push(event)
  const countedMetrics: string[] = []
  const metrics = new Metrics({ namespace: 'test', serviceName: 'test' })
  metrics.addMetric = (name) => {
    countedMetrics.push(name)
    return metrics
  }
  const single = { clearDefaultDimensions() {}, addDimensions() {}, addMetric: metrics.addMetric }
  metrics.singleMetric = () => single as unknown as Metrics
  return {
    connector,
    queues,
    noticeQueue,
    notices,
    away,
    published,
    events,
    countedMetrics,
    accepted,
    table,
    changes,
    /** Decides a message with this certificate, and runs the watch. */
    async decide(
      certificate: Partial<ClientCertificate>,
      now = receivedAt,
      { notBefore = null as string | null, counting = metrics } = {},
    ) {
      serial += 1
      const id = `01KF0CVZT0${String(serial).padStart(16, '0')}`
      const tls = overTlsWith(certificate)
      const decided = authenticatedMessage({
        id,
        tls,
        mailFrom: 'a@contoso.example',
        receivedAt: now.toISOString(),
      })
      const job: EvaluationJob = { message: decided, recipients: [recipient()], notBefore }
      const verdicts = await decide(job, rules, now, dependencies)
      await watchCertificates(
        job,
        verdicts,
        rules,
        now,
        { observationSinks: observations, notices },
        { logger, metrics: counting, addEvent },
      )
      return verdicts.map(({ action, reason }) => `${action} ${reason}`)
    },
    /** Publishes the notices of the queue. @returns the result of each */
    async publishQueued(now = receivedAt): Promise<string[]> {
      const outcomes: string[] = []
      for (const { job } of noticeQueue.take()) outcomes.push((await publishOne(job, now)).kind)
      return outcomes
    },
    publishOne,
  }

  function publishOne(notice: CertificateNotice, now: Date) {
    return publishNotice(notice, now, {
      dailyLimit: new DailyNoticeLimit(documents, messagesTable),
      claims: new Claims<PublishedNotice>(documents, messagesTable),
      observedCertificates: accepted,
      unknownCertificates: new UnknownCertificateStore(documents, messagesTable),
      async publish(announcement) {
        if (away.topic) throw new Error('the topic is down')
        published.push(announcement)
        return `n${published.length}`
      },
      evaluation: noticeQueue,
    })
  }
}

const knownCertificate = {}
const renewedCertificate = { subjectAltNames: ['mx1.contoso.example'], fingerprint256: 'cd'.repeat(32) }
const unrelated = (index: number) => ({
  subjectAltNames: ['unknown.example'],
  fingerprint256: index.toString(16).padStart(64, '0'),
})
const jsonOf = ({ text }: Announcement) => JSON.parse(text.slice(text.indexOf('\n{\n')))

describe('a message whose client presented', () => {
  test('a certificate that the connector accepts causes a record of the certificate and no notice', async () => {
    const service = unit()
    assert.deepEqual(await service.decide(knownCertificate), ['Deliver ConnectorMatched'])
    assert.equal(
      (await service.accepted.lastAccepted(service.connector.id, receivedAt))?.fingerprint256,
      'ab'.repeat(32),
    )
    assert.deepEqual(service.noticeQueue.sent, [])
  })

  test('an accepted certificate is recorded with the facts of it at the connector', async () => {
    const service = unit({ certificateFingerprints: ['cd'.repeat(32)] })
    await service.decide(renewedCertificate)
    const { observations } = await service.accepted.page(service.connector.id, () => true, {
      from: null,
      limit: 1,
      now: receivedAt,
    })
    const [{ facts } = assert.fail('no certificate')] = observations[0]?.certificates ?? []
    assert.deepEqual(facts, certificateFactsWith({ pinned: true }))
  })

  test('an unknown certificate causes a notice that also names the last accepted certificate', async () => {
    const service = unit()
    await service.decide(knownCertificate)
    assert.deepEqual(await service.decide(renewedCertificate, minutesLater(1)), [
      'Defer InboundCertificateRestriction',
    ])
    assert.deepEqual(await service.publishQueued(minutesLater(1)), ['Published'])
    const [notice] = service.published.map(jsonOf)
    assert.deepEqual(
      [notice.connector.id, notice.accepted.fingerprint256, notice.presented.fingerprint256],
      [service.connector.id, 'ab'.repeat(32), 'cd'.repeat(32)],
    )
    assert.equal(
      (await service.accepted.lastAccepted(service.connector.id, receivedAt))?.fingerprint256,
      'ab'.repeat(32),
    )
  })

  test('an accepted certificate of another issuer causes an event', async () => {
    const service = unit()
    await service.decide(knownCertificate)
    const another = { issuer: 'CN=Another', fingerprint256: 'ef'.repeat(32) }
    assert.deepEqual(await service.decide(another, minutesLater(1)), ['Deliver ConnectorMatched'])
    assert.deepEqual(
      service.changes.map(({ what, from, to }) => [what, from.fingerprint256, to.fingerprint256]),
      [[['Issuer'], 'ab'.repeat(32), 'ef'.repeat(32)]],
    )
    assert.deepEqual(service.countedMetrics, ['PartnerCertificatesChanged'])
    assert.deepEqual(service.noticeQueue.sent, [])
  })

  const consequences: [string, Partial<InboundConnector>, consequence: string, heldUntil: string | null][] = [
    ['held', {}, 'Held', minutesLater(24 * 60).toISOString()],
    ['bounced', { onViolation: 'Bounce' }, 'Bounced', null],
    ['only recorded', { mode: 'ReportOnly' }, 'RecordedOnly', null],
  ]
  for (const [name, fields, consequence, heldUntil] of consequences)
    test(`an unknown certificate and that is ${name} causes a notice with the consequence ${consequence}`, async () => {
      const service = unit(fields)
      await service.decide(renewedCertificate)
      const [{ job } = assert.fail('no notice')] = service.noticeQueue.sent
      assert.deepEqual([job.consequence, job.heldUntil], [consequence, heldUntil])
    })

  test('an unknown certificate is counted each time; five such messages cause one notice', async () => {
    const service = unit()
    for (let minute = 0; minute < 5; minute++) await service.decide(renewedCertificate, minutesLater(minute))
    assert.deepEqual(service.countedMetrics, Array(5).fill('UnknownCertificates'))
    assert.equal(service.noticeQueue.sent.length, 1)
  })

  test('an unknown certificate is counted once, although the held message is decided again', async () => {
    const service = unit()
    await service.decide(renewedCertificate)
    await service.decide(renewedCertificate, minutesLater(15), { notBefore: minutesLater(15).toISOString() })
    assert.deepEqual(service.countedMetrics, ['UnknownCertificates'])
  })

  test('an unknown certificate is decided as usual when the queue does not accept the notice; the next such message causes the notice', async () => {
    const service = unit()
    service.away.queue = true
    assert.deepEqual(await service.decide(renewedCertificate), ['Defer InboundCertificateRestriction'])
    assert.deepEqual(service.countedMetrics, ['UnknownCertificates', 'NoticesFailed'])
    service.away.queue = false
    await service.decide(renewedCertificate, minutesLater(1))
    assert.equal(service.noticeQueue.sent.length, 1)
  })

  test('an unknown certificate is decided as usual when sending the notice throws', async () => {
    const service = unit()
    service.notices.send = () => assert.fail('no such call')
    assert.deepEqual(await service.decide(renewedCertificate), ['Defer InboundCertificateRestriction'])
  })

  test('an accepted certificate is decided as usual when the certificate cannot be recorded', async () => {
    const service = unit()
    service.table.record = () => Promise.reject(new Error('the table is down'))
    assert.deepEqual(await service.decide(knownCertificate), ['Deliver ConnectorMatched'])
  })
})

describe('notices of the same unknown certificate', () => {
  test('from several workers are published once', async () => {
    const service = unit()
    const notice = certificateNotice({ connector: service.connector.id })
    const results = await Promise.all([1, 2, 3].map(() => service.publishOne(notice, receivedAt)))
    assert.deepEqual(
      results
        .map(({ kind }) => kind)
        .sort()
        .filter((kind) => kind === 'Published'),
      ['Published'],
    )
    assert.equal((await service.publishOne(notice, minutesLater(60))).kind, 'Known')
    assert.equal(service.published.length, 1)
  })

  const bounce = { mode: 'Enforce', onViolation: 'Bounce' } as const
  const defer = { mode: 'Enforce', onViolation: 'Defer' } as const
  const reportOnly = { mode: 'ReportOnly', onViolation: 'Bounce' } as const
  const refused = ['RefusedInSession', bounce] as const
  const bounced = ['Bounced', bounce] as const
  const held = ['Held', defer] as const
  const heldAndExpired = ['Bounced', defer] as const
  const recorded = ['RecordedOnly', reportOnly] as const
  const changes: [
    name: string,
    (readonly [CertificateNotice['consequence'], Partial<CertificateNotice['connector']>])[],
    published: CertificateNotice['consequence'][],
  ][] = [
    [
      'are published once more when the connector holds mail that it refused',
      [refused, held],
      ['RefusedInSession', 'Held'],
    ],
    [
      'are published once more when the connector is enforced',
      [recorded, refused],
      ['RecordedOnly', 'RefusedInSession'],
    ],
    [
      'are published once for each effect when the effects alternate with each message',
      Array.from({ length: 20 }, () => [held, refused, recorded]).flat(),
      ['Held', 'RefusedInSession', 'RecordedOnly'],
    ],
    ['are published once when held mail bounces at its expiry', [held, heldAndExpired], ['Held']],
    [
      'are published once more when the connector refuses mail that it held, although held mail also bounces',
      [held, bounced, refused],
      ['Held', 'Bounced'],
    ],
  ]
  for (const [name, sent, published] of changes)
    test(name, async () => {
      const service = unit()
      for (const [consequence, fields] of sent) {
        const notice = certificateNotice({ connector: service.connector.id, consequence })
        await service.publishOne({ ...notice, connector: { ...notice.connector, ...fields } }, receivedAt)
      }
      assert.deepEqual(
        service.published.map((announcement) => jsonOf(announcement).consequence),
        published,
      )
    })

  test('from several workers at once are published once for each effect', async () => {
    const service = unit()
    const { id: connector } = service.connector
    const sent = [1, 2, 3].flatMap(() => [
      certificateNotice({ connector, consequence: 'Held' }),
      certificateNotice({ connector, consequence: 'RefusedInSession' }),
    ])
    await Promise.all(sent.map((notice) => service.publishOne(notice, receivedAt)))
    assert.deepEqual(service.published.map((announcement) => jsonOf(announcement).consequence).sort(), [
      'Held',
      'RefusedInSession',
    ])
  })

  test('with a new effect are published after the worker that had claimed them died', async () => {
    const service = unit()
    const { id: connector } = service.connector
    await service.publishOne(certificateNotice({ connector }), receivedAt)
    const changed = certificateNotice({ connector, consequence: 'Held' })
    service.away.topic = true
    service.noticeQueue.failOnce()
    await assert.rejects(service.publishOne(changed, receivedAt), /the queue is away/)
    service.away.topic = false
    assert.equal((await service.publishOne(changed, receivedAt)).kind, 'Busy')
    assert.equal((await service.publishOne(changed, minutesLater(1))).kind, 'Published')
    assert.equal((await service.publishOne(changed, minutesLater(2))).kind, 'Known')
    assert.equal(service.published.length, 2)
  })

  test('are published again on the next day', async () => {
    const service = unit()
    const notice = certificateNotice({ connector: service.connector.id })
    await service.publishOne(notice, receivedAt)
    assert.equal((await service.publishOne(notice, minutesLater(24 * 60))).kind, 'Published')
    assert.equal(service.published.length, 2)
  })

  test('return to the queue for 15 minutes when SNS fails, and are published once after that', async () => {
    const service = unit()
    const notice = certificateNotice({ connector: service.connector.id })
    service.away.topic = true
    assert.equal((await service.publishOne(notice, receivedAt)).kind, 'Later')
    assert.equal((await service.publishOne(notice, receivedAt)).kind, 'Busy')
    assert.deepEqual(
      service.noticeQueue.sent.map(({ job, delaySeconds }) => [job.failures, delaySeconds]),
      [[1, 900]],
    )
    service.away.topic = false
    assert.deepEqual(await service.publishQueued(minutesLater(15)), ['Published'])
    assert.equal((await service.publishOne(notice, minutesLater(16))).kind, 'Known')
    assert.equal(service.published.length, 1)
  })

  test('are given up when SNS has failed for a day', async () => {
    const service = unit()
    service.away.topic = true
    service.noticeQueue.sent.push({ job: certificateNotice({ connector: service.connector.id }) })
    let rounds = 0
    while (service.noticeQueue.sent.length > 0) await service.publishQueued(minutesLater(15 * rounds++))
    assert.equal(rounds * 15, 24 * 60)
  })

  test('fail, so that SQS retries them, when neither SNS nor the queue accepts them', async () => {
    const service = unit()
    service.away.topic = true
    service.noticeQueue.failOnce()
    await assert.rejects(
      service.publishOne(certificateNotice({ connector: service.connector.id }), receivedAt),
      /the queue is away/,
    )
  })

  test('are published by the repeated job when the worker died before it completed its claim', async () => {
    const service = unit()
    const notice = certificateNotice({ connector: service.connector.id })
    const claims = new Claims<PublishedNotice>(database.documents, database.messagesTable)
    claims.complete = () => Promise.reject(new Error('died'))
    const dying = {
      dailyLimit: new DailyNoticeLimit(database.documents, database.messagesTable),
      claims,
      observedCertificates: service.accepted,
      unknownCertificates: new UnknownCertificateStore(database.documents, database.messagesTable),
      publish: () => Promise.resolve('lost'),
      evaluation: service.noticeQueue,
    }
    await assert.rejects(publishNotice(notice, receivedAt, dying), /died/)
    assert.equal((await service.publishOne(notice, minutesLater(1))).kind, 'Published')
  })
})

describe('the stored certificate', () => {
  const read = (connector: string, { fingerprint256 } = renewedCertificate) =>
    new UnknownCertificateList(database.documents, database.messagesTable).read(
      connector,
      fingerprint256,
      receivedAt,
    )

  test('has each effect with its times, the notices and the certificate accepted until then', async () => {
    const service = unit()
    await service.decide(knownCertificate)
    await service.decide(renewedCertificate, minutesLater(1))
    await service.publishQueued(minutesLater(2))
    const { id: connector } = service.connector
    const refusal = certificateNotice({ connector, at: minutesLater(60).toISOString() })
    await service.publishOne(refusal, minutesLater(61))
    await service.publishOne({ ...refusal, failures: 1 }, minutesLater(70))
    const stored = await read(connector)
    assert.equal(stored?.accepted?.fingerprint256, 'ab'.repeat(32))
    assert.deepEqual(
      [stored.firstSeen, stored.lastSeen, stored.seenCount],
      [minutesLater(1).toISOString(), minutesLater(60).toISOString(), 2],
    )
    const notices = (minute: number) => {
      const at = minutesLater(minute).toISOString()
      return { count: 1, first: at, last: at }
    }
    const [seen, held] = [minutesLater(60), minutesLater(1)].map((at) => at.toISOString())
    assert.deepEqual(stored.effects, [
      { effect: 'Refused', firstSeen: seen, lastSeen: seen, heldUntil: null, notices: notices(61) },
      {
        effect: 'Held',
        firstSeen: held,
        lastSeen: held,
        heldUntil: minutesLater(24 * 60 + 1).toISOString(),
        notices: notices(2),
      },
    ])
  })

  test('is stored also while the topic is down', async () => {
    const service = unit()
    service.away.topic = true
    await service.publishOne(certificateNotice({ connector: service.connector.id }), receivedAt)
    assert.equal((await read(service.connector.id))?.effects[0]?.notices, null)
  })

  test('is not stored beyond the daily limit of notices', async () => {
    const service = unit()
    const { id: connector } = service.connector
    for (let index = 0; index < 11; index++)
      await service.publishOne(
        certificateNotice({ connector, fingerprint256: unrelated(index).fingerprint256 }),
        receivedAt,
      )
    assert.notEqual(await read(connector, unrelated(9)), null)
    assert.equal(await read(connector, unrelated(10)), null)
  })

  test('causes no notice while it is dismissed at its connector, and is still counted in metrics', async () => {
    const service = unit()
    const { id: connector } = service.connector
    await service.publishOne(certificateNotice({ connector }), receivedAt)
    const store = new UnknownCertificateStore(database.documents, database.messagesTable)
    const dismissal = {
      at: receivedAt.toISOString(),
      by: 'administrator',
      reason: 'a stranger',
      until: minutesLater(2 * 24 * 60).toISOString(),
    }
    assert.equal(await store.dismiss(connector, renewedCertificate.fingerprint256, dismissal), true)
    assert.equal(await store.dismiss(connector, unrelated(1).fingerprint256, dismissal), false)
    const nextDay = minutesLater(24 * 60)
    await service.decide(renewedCertificate, nextDay)
    assert.deepEqual(service.countedMetrics, ['UnknownCertificates'])
    assert.deepEqual(await service.publishQueued(nextDay), ['Dismissed'])
    assert.equal((await read(connector))?.lastSeen, nextDay.toISOString())
    const seen = (await read(connector))?.seenCount
    for (const repeated of [nextDay, receivedAt]) {
      const notice = certificateNotice({ connector, at: repeated.toISOString() })
      assert.equal((await service.publishOne(notice, nextDay)).kind, 'Dismissed')
    }
    assert.equal((await read(connector))?.seenCount, seen)
    assert.equal((await read(connector))?.lastSeen, nextDay.toISOString())
    const other = unit()
    await other.publishOne(certificateNotice({ connector: other.connector.id }), nextDay)
    assert.equal(other.published.length, 1)

    const afterwards = minutesLater(3 * 24 * 60)
    const notice = certificateNotice({ connector, at: afterwards.toISOString() })
    assert.equal((await service.publishOne(notice, afterwards)).kind, 'Published')
  })

  test('that is dismissed does not use up the daily limit', async () => {
    const service = unit()
    const { id: connector } = service.connector
    const store = new UnknownCertificateStore(database.documents, database.messagesTable)
    const notices = Array.from({ length: 10 }, (_, index) =>
      certificateNotice({ connector, fingerprint256: unrelated(index).fingerprint256 }),
    )
    for (const notice of notices) {
      await service.publishOne(notice, receivedAt)
      await store.dismiss(connector, notice.presented.fingerprint256, {
        at: receivedAt.toISOString(),
        by: 'administrator',
        reason: 'a stranger',
        until: minutesLater(10 * 24 * 60).toISOString(),
      })
    }
    const nextDay = minutesLater(24 * 60)
    for (const notice of notices) await service.publishOne({ ...notice, at: nextDay.toISOString() }, nextDay)
    const renewal = certificateNotice({ connector, at: nextDay.toISOString() })
    assert.equal((await service.publishOne(renewal, nextDay)).kind, 'Published')
  })
})

test('unknown certificates cause at most ten notices per connector and day', async () => {
  const service = unit()
  const outcomes: string[] = []
  for (let index = 0; index < 12; index++) {
    const fingerprint256 = unrelated(index).fingerprint256
    const notice = certificateNotice({ connector: service.connector.id, fingerprint256 })
    outcomes.push((await service.publishOne(notice, receivedAt)).kind)
  }
  assert.deepEqual(outcomes, [...Array(10).fill('Published'), 'TooMany', 'TooMany'])
  assert.equal(service.published.length, 10)
})

test('UnknownCertificates is published by stack and by connector, as by the ingress', async (context) => {
  const lines: string[] = []
  context.mock.method(console, 'log', (line: string) => lines.push(line))
  Object.assign(process.env, { POWERTOOLS_DEV: 'true', POWERTOOLS_METRICS_DISABLED: 'false' })
  const metrics = new Metrics({ namespace: 'test', serviceName: 'evaluate-policy' })
  await unit({ name: ':Contoso Süd' }).decide(renewedCertificate, receivedAt, { counting: metrics })
  const records = lines.filter((line) => line.includes('UnknownCertificates')).map((line) => JSON.parse(line))
  assert.equal(records.length, 1)
  for (const { _aws, connector, service, UnknownCertificates } of records) {
    assert.deepEqual(_aws.CloudWatchMetrics[0].Dimensions, [['stack'], ['stack', 'connector']])
    assert.deepEqual([connector, service, UnknownCertificates], ['?Contoso S?d', undefined, 1])
  }
})
