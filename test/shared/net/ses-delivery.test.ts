import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { SESClient } from '@aws-sdk/client-ses'
import type { TlsRequirement } from '../../../shared/contract/jobs.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { deliverThroughSes } from '../../../shared/net/ses-delivery.ts'
import type { OutboundMessage, Outcomes } from '../../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { queryError, sesAccepted } from '../../support/aws-answers.ts'
import {
  type FakeQueryService,
  type QueryAnswer,
  startQueryService,
} from '../../support/fake-query-service.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { testAccount } from '../../support/lambda.ts'

const configurationSets = { requireTls: 'tls-required', optionalTls: 'tls-optional' }
const content = Buffer.from('From: a@elsewhere.example\r\n\r\n.dots and \xe9\r\n', 'latin1')

let service: FakeQueryService
let ses: SESClient

const accepted = (): QueryAnswer => ({ status: 200, body: sesAccepted('0100-abc') })

before(async () => {
  service = await startQueryService(accepted)
  ses = new SESClient({ endpoint: service.url, ...testAccount, maxAttempts: 1 })
})
beforeEach(() => {
  service.requests.length = 0
  service.answer = accepted
})
after(async () => {
  ses.destroy()
  await service.stop()
})

const send = (
  fields: Partial<OutboundMessage> = {},
  signal = AbortSignal.timeout(20_000),
): Promise<Outcomes> =>
  deliverThroughSes(
    {
      message: message(),
      recipients: [recipient({ address: 'b@partner.example' })],
      content,
      tls: opportunistic,
      ...fields,
    },
    { ses, configurationSets, signal },
  )

const requiring = (level: TlsRequirement['level'], mode: TlsRequirement['mode'] = 'Enforce') => ({
  ...opportunistic,
  level,
  mode,
})

describe('a delivery through Amazon SES', () => {
  it('passes sender, recipients and exactly the stored octets to SES', async () => {
    const recipients = ['b@partner.example', 'c@partner.example'].map((address) => recipient({ address }))
    const outcomes = await send({ recipients })
    const [request] = service.requests
    assert.equal(request?.get('Action'), 'SendRawEmail')
    assert.equal(request?.get('Source'), 'a@elsewhere.example')
    assert.deepEqual(
      [1, 2, 3].map((n) => request?.get(`Destinations.member.${n}`) ?? null),
      ['b@partner.example', 'c@partner.example', null],
    )
    assert.deepEqual(Buffer.from(request?.get('RawMessage.Data') ?? '', 'base64'), content)
    for (const outcome of outcomes.values()) {
      assert.deepEqual([outcome.outcome, outcome.host, outcome.tls], ['Delivered', 'Amazon SES', null])
      assert.equal(formatReply(outcome.reply), '250 2.0.0 Amazon SES accepted it as 0100-abc')
    }
  })

  const sets: [TlsRequirement, string][] = [
    [opportunistic, 'tls-optional'],
    [requiring('EncryptionOnly'), 'tls-required'],
    [requiring('EncryptionOnly', 'ReportOnly'), 'tls-optional'],
  ]
  for (const [tls, set] of sets) {
    it(`uses the configuration set ${set} under ${tls.level} in mode ${tls.mode}`, async () => {
      await send({ tls })
      assert.equal(service.requests[0]?.get('ConfigurationSetName'), set)
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
    assert.equal(service.requests[0]?.get('ConfigurationSetName'), configurationSets.requireTls)
  })

  it('omits the parameter Source for the null reverse path', async () => {
    await send({ message: message({ mailFrom: '' }) })
    assert.equal(service.requests[0]?.has('Source'), false)
  })

  it("makes one request per fifty recipients, and gives them their request's outcome", async () => {
    const recipients = Array.from({ length: 101 }, (_, n) => recipient({ address: `r${n}@partner.example` }))
    service.answer = (request) =>
      request.get('Destinations.member.1') === 'r50@partner.example'
        ? { status: 400, body: queryError('Throttling') }
        : accepted()
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

  const errors: [number, string, string][] = [
    [400, 'Throttling', 'TemporaryFailure'],
    [400, 'LimitExceeded', 'TemporaryFailure'],
    [400, 'AccountSendingPausedException', 'TemporaryFailure'],
    [400, 'ConfigurationSetSendingPausedException', 'TemporaryFailure'],
    [400, 'ConfigurationSetDoesNotExist', 'TemporaryFailure'],
    [403, 'AccessDenied', 'TemporaryFailure'],
    [403, 'ExpiredToken', 'TemporaryFailure'],
    [500, 'InternalFailure', 'TemporaryFailure'],
    [503, 'ServiceUnavailable', 'TemporaryFailure'],
    [400, 'MessageRejected', 'PermanentFailure'],
    [400, 'MailFromDomainNotVerifiedException', 'PermanentFailure'],
    [400, 'InvalidParameterValue', 'PermanentFailure'],
  ]
  for (const [status, code, outcomeName] of errors) {
    it(`ends in ${outcomeName}, with the error in its reply, when SES returns ${code}`, async () => {
      service.answer = () => ({ status, body: queryError(code) })
      const outcome = (await send()).get('b@partner.example')
      assert.equal(outcome?.outcome, outcomeName)
      assert.match(
        outcome?.reply.text ?? '',
        new RegExp(`^Amazon SES: ${code.replace('Exception', '')}.*because`),
      )
      assert.equal(service.requests.length, 1)
    })
  }

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
