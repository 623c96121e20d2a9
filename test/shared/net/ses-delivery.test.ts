import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { TlsRequirement } from '../../../shared/contract/jobs.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { maxSesMessageOctets, SesApi } from '../../../shared/net/ses-api.ts'
import { deliverThroughSes, type SesOptions } from '../../../shared/net/ses-delivery.ts'
import type { OutboundMessage, Outcomes } from '../../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { type FakeSes, startSes } from '../../support/fake-ses.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { testAccount } from '../../support/lambda.ts'

const configurationSets = { requireTls: 'tls-required', optionalTls: 'tls-optional' }
const content = Buffer.from('From: a@elsewhere.example\r\n\r\n.dots and \xe9\r\n', 'latin1')

let service: FakeSes
let ses: SesApi

before(async () => {
  service = await startSes()
  ses = new SesApi({ endpoint: service.url, ...testAccount, maxAttempts: 1 })
})
beforeEach(() => {
  service.requests.length = 0
  service.answer = () => 'accepted'
})
after(() => service.stop())

const send = (
  fields: Partial<OutboundMessage> = {},
  signal = AbortSignal.timeout(20_000),
  options: Partial<SesOptions> = {},
): Promise<Outcomes> =>
  deliverThroughSes(
    {
      message: message(),
      recipients: [recipient({ address: 'b@partner.example' })],
      content,
      tls: opportunistic,
      ...fields,
    },
    { ses, configurationSets, signal, ...options },
  )

const requiring = (level: TlsRequirement['level'], mode: TlsRequirement['mode'] = 'Enforce') => ({
  ...opportunistic,
  level,
  mode,
})

describe('a delivery through Amazon SES', () => {
  for (const [api, stored] of [
    ['V1', content],
    ['V2', Buffer.concat([content, Buffer.alloc(8_000_000, 'x')])],
  ] as const)
    it(`passes sender, recipients and exactly the stored octets to API ${api}, for a message of ${stored.length} octets`, async () => {
      const recipients = ['b@partner.example', 'c@partner.example'].map((address) => recipient({ address }))
      const outcomes = await send({ recipients, content: stored, tls: requiring('EncryptionOnly') })
      const [{ content: received, ...request } = assert.fail('no request')] = service.requests
      assert.deepEqual(request, {
        api,
        mailFrom: 'a@elsewhere.example',
        recipients: ['b@partner.example', 'c@partner.example'],
        configurationSet: 'tls-required',
      })
      assert.ok(received.equals(stored))
      for (const outcome of outcomes.values()) {
        assert.deepEqual([outcome.outcome, outcome.host, outcome.tls], ['Delivered', 'Amazon SES', null])
        assert.equal(formatReply(outcome.reply), '250 2.0.0 Amazon SES accepted it as 0100-abc')
      }
    })

  it('bounces with 552 5.3.4, without a request, when a message is too large for SES', async () => {
    const outcome = (await send({ content: Buffer.alloc(maxSesMessageOctets + 1) })).get('b@partner.example')
    assert.deepEqual(
      [outcome?.outcome, outcome && formatReply(outcome.reply), service.requests.length],
      [
        'PermanentFailure',
        '552 5.3.4 The message has 40000001 octets; Amazon SES accepts at most 40000000',
        0,
      ],
    )
  })

  const sets: [TlsRequirement, string][] = [
    [opportunistic, 'tls-optional'],
    [requiring('EncryptionOnly'), 'tls-required'],
    [requiring('EncryptionOnly', 'ReportOnly'), 'tls-optional'],
  ]
  for (const [tls, set] of sets) {
    it(`uses the configuration set ${set} under ${tls.level} in mode ${tls.mode}`, async () => {
      await send({ tls })
      assert.equal(service.requests[0]?.configurationSet, set)
    })
  }

  for (const level of ['CertificateValidation', 'DomainValidation'] as const) {
    it(`sends nothing under ${level}, which SES does not support`, async () => {
      const outcome = (await send({ tls: requiring(level) })).get('b@partner.example')
      assert.deepEqual(
        [outcome?.outcome, outcome?.reply.enhanced, service.requests.length],
        ['TlsNotMet', '4.7.320', 0],
      )
    })
  }

  for (const fields of [{ smtpDaneMode: 'Mandatory' }, { mtaStsMode: 'Mandatory' }] as const) {
    it(`sends nothing under ${Object.entries(fields).flat().join(' ')}, which SES does not support`, async () => {
      const outcome = (await send({ tls: { ...opportunistic, ...fields } })).get('b@partner.example')
      assert.deepEqual(
        [outcome?.outcome, outcome?.reply.enhanced, service.requests.length],
        ['TlsNotMet', '4.7.320', 0],
      )
    })
  }

  it('sends no REQUIRETLS message, which SES does not support', async () => {
    const original = message()
    const outcomes = await send({
      message: { ...original, envelope: { ...original.envelope, requireTls: true } },
    })
    const outcome = outcomes.get('b@partner.example')
    assert.deepEqual(
      [outcome?.outcome, outcome?.reply.enhanced, service.requests.length],
      ['PermanentFailure', '5.7.30', 0],
    )
  })

  it('sends a DSN about a REQUIRETLS message with the configuration set that requires TLS', async () => {
    // A DSN is not refused for lack of REQUIRETLS: nothing would report its loss.
    const notification = message({ mailFrom: '' })
    const outcomes = await send({
      message: { ...notification, envelope: { ...notification.envelope, requireTls: true } },
    })
    assert.equal(outcomes.get('b@partner.example')?.outcome, 'Delivered')
    assert.equal(service.requests[0]?.configurationSet, configurationSets.requireTls)
  })

  it('names no sender for the null reverse path', async () => {
    for (const stored of [content, Buffer.alloc(8_000_000, 'x')])
      await send({ message: message({ mailFrom: '' }), content: stored })
    assert.deepEqual(
      service.requests.map(({ api, mailFrom }) => [api, mailFrom]),
      [
        ['V1', null],
        ['V2', null],
      ],
    )
  })

  it("makes one request per fifty recipients, and gives them their request's outcome", async () => {
    const recipients = Array.from({ length: 101 }, (_, n) => recipient({ address: `r${n}@partner.example` }))
    service.answer = (request) =>
      request.recipients[0] === 'r50@partner.example'
        ? { status: 503, name: 'ServiceUnavailable' }
        : 'accepted'
    const outcomes = await send({ recipients })
    assert.equal(service.requests.length, 3)
    const outcomeOf = (n: number) => outcomes.get(`r${n}@partner.example`)?.outcome
    assert.deepEqual([0, 49, 50, 99, 100].map(outcomeOf), [
      'Delivered',
      'Delivered',
      'TemporaryFailure',
      'TemporaryFailure',
      'Delivered',
    ])
  })

  for (const [api, stored] of [
    ['V1', content],
    ['V2', Buffer.alloc(8_000_000, 'x')],
  ] as const) {
    it(`bounces when API ${api} rejects the content, and defers when the identity is not verified`, async () => {
      const replyTo = async (text: string) => {
        service.answer = () => ({ status: 400, name: 'MessageRejected', message: text })
        const outcome = (await send({ content: stored })).get('b@partner.example')
        return [outcome?.outcome, outcome && formatReply(outcome.reply), outcome?.host]
      }
      assert.deepEqual(
        [await replyTo('Transaction failed: virus'), await replyTo('Email address is not verified.')],
        [
          [
            'PermanentFailure',
            '554 5.6.0 Amazon SES: MessageRejected: Transaction failed: virus',
            'Amazon SES',
          ],
          [
            'TemporaryFailure',
            '451 4.3.5 Amazon SES: MessageRejected: Email address is not verified.',
            'Amazon SES',
          ],
        ],
      )
      assert.equal(service.requests.length, 2)
    })
  }

  it('repeats a throttled request after growing delays, and delivers when SES accepts it', async () => {
    const delays: number[] = []
    service.answer = () =>
      service.requests.length > 2
        ? 'accepted'
        : { status: 400, name: 'Throttling', message: 'Maximum sending rate exceeded.' }
    const outcomes = await send({}, undefined, {
      wait: async (milliseconds) => delays.push(milliseconds),
      onThrottled: () => assert.fail('SES accepted the message'),
    })
    const { outcome, isThrottled } = outcomes.get('b@partner.example') ?? {}
    assert.deepEqual([outcome, isThrottled], ['Delivered', undefined])
    const limits = [500, 1_000]
    assert.equal(delays.length, limits.length)
    for (const [index, limit] of limits.entries()) {
      const delay = delays[index] ?? 0
      assert.ok(delay >= limit / 2 && delay <= limit, `${delay} of ${limit}`)
    }
  })

  it('defers with 451 4.4.5 after the third throttled request, or when the attempt times out', async () => {
    service.answer = () => ({ status: 400, name: 'Throttling', message: 'Rate exceeded' })
    const replyOf = (outcomes: Outcomes) => outcomes.get('b@partner.example')?.reply
    const expected = { code: 451, enhanced: '4.4.5', text: 'Amazon SES: Throttling: Rate exceeded' }
    let reports = 0
    const outcomes = await send({}, undefined, {
      wait: async () => {},
      onThrottled: () => {
        reports += 1
      },
    })
    assert.deepEqual(replyOf(outcomes), expected)
    assert.deepEqual(
      [outcomes.get('b@partner.example')?.isThrottled, reports, service.requests.length],
      [true, 1, 3],
    )
    const abort = new AbortController()
    const wait = async () => abort.signal.throwIfAborted()
    service.answer = () => {
      setImmediate(() => abort.abort())
      return { status: 400, name: 'Throttling', message: 'Rate exceeded' }
    }
    const timedOut = replyOf(
      await send({}, abort.signal, { wait: () => once(abort.signal, 'abort').then(wait) }),
    )
    assert.deepEqual([timedOut?.code, service.requests.length], [451, 4])
  })

  it('does not repeat a request when the quota of 24 hours is used up, and reports that', async () => {
    let reports = 0
    service.answer = () => ({ status: 400, name: 'Throttling', message: 'Daily message quota exceeded.' })
    const outcomes = await send({}, undefined, {
      onDailyQuotaUsedUp: async () => {
        reports += 1
      },
    })
    const { outcome, isThrottled } = outcomes.get('b@partner.example') ?? {}
    assert.deepEqual([outcome, isThrottled], ['TemporaryFailure', undefined])
    assert.deepEqual([reports, service.requests.length], [1, 1])
  })

  it('ends in TemporaryFailure when the attempt times out', async () => {
    const abort = new AbortController()
    service.answer = () => {
      abort.abort()
      return 'none'
    }
    const outcome = (await send({}, abort.signal)).get('b@partner.example')
    assert.equal(outcome?.outcome, 'TemporaryFailure')
  })

  it('ends in TemporaryFailure when SES closes the connection, without an immediate retry', async () => {
    service.answer = () => 'connection lost'
    const outcome = (await send()).get('b@partner.example')
    assert.deepEqual([outcome?.outcome, service.requests.length], ['TemporaryFailure', 1])
  })
})
