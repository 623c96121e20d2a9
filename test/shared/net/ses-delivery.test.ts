import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, beforeEach, describe, it } from 'node:test'
import { SESClient } from '@aws-sdk/client-ses'
import type { TlsRequirement } from '../../../shared/contract/jobs.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { deliverBySes } from '../../../shared/net/ses-delivery.ts'
import type { Mail, Outcomes } from '../../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { message, recipient } from '../../support/fixtures.ts'

const configurationSets = { requireTls: 'tls-required', optionalTls: 'tls-optional' }
const content = Buffer.from('From: a@elsewhere.example\r\n\r\n.dots and \xe9\r\n', 'latin1')

const requests: URLSearchParams[] = []
let respond: (response: ServerResponse, request: URLSearchParams) => void
const server = createServer(async (request, response) => {
  const parameters = new URLSearchParams(await text(request))
  requests.push(parameters)
  respond(response, parameters)
})
let ses: SESClient

before(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  ses = new SESClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  })
})
beforeEach(() => {
  requests.length = 0
  respond = (response) => answer(response, 200, accepted)
})
after(() => {
  ses.destroy()
  server.close()
})

const accepted = `<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/">
  <SendRawEmailResult><MessageId>0100-abc</MessageId></SendRawEmailResult></SendRawEmailResponse>`

const refusal = (type: string, code: string) =>
  `<ErrorResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><Error><Type>${type}</Type>
  <Code>${code}</Code><Message>because</Message></Error></ErrorResponse>`

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/xml' }).end(body)
}

const send = (fields: Partial<Mail> = {}, signal = AbortSignal.timeout(20_000)): Promise<Outcomes> =>
  deliverBySes(
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

describe('a delivery by Amazon SES', () => {
  it('hands over sender, recipients and exactly the stored octets', async () => {
    const recipients = ['b@partner.example', 'c@partner.example'].map((address) => recipient({ address }))
    const outcomes = await send({ recipients })
    const [request] = requests
    assert.equal(request?.get('Action'), 'SendRawEmail')
    assert.equal(request?.get('Source'), 'a@elsewhere.example')
    assert.deepEqual(
      [1, 2, 3].map((n) => request?.get(`Destinations.member.${n}`) ?? null),
      ['b@partner.example', 'c@partner.example', null],
    )
    assert.deepEqual(Buffer.from(request?.get('RawMessage.Data') ?? '', 'base64'), content)
    for (const outcome of outcomes.values()) {
      assert.deepEqual([outcome.outcome, outcome.host, outcome.tls], ['Delivered', 'Amazon SES', null])
      assert.equal(formatReply(outcome.reply), '250 2.0.0 Amazon SES took it as 0100-abc')
    }
  })

  const sets: [TlsRequirement, string][] = [
    [opportunistic, 'tls-optional'],
    [requiring('EncryptionOnly'), 'tls-required'],
    [requiring('EncryptionOnly', 'ReportOnly'), 'tls-optional'],
  ]
  for (const [tls, set] of sets) {
    it(`names the configuration set ${set} under ${tls.level} in mode ${tls.mode}`, async () => {
      await send({ tls })
      assert.equal(requests[0]?.get('ConfigurationSetName'), set)
    })
  }

  for (const level of ['CertificateValidation', 'DomainValidation'] as const) {
    it(`sends nothing under ${level}, which SES cannot keep`, async () => {
      const outcome = (await send({ tls: requiring(level) })).get('b@partner.example')
      assert.deepEqual(
        [outcome?.outcome, outcome?.reply.enhanced, requests.length],
        ['TlsNotMet', '4.7.320', 0],
      )
    })
  }

  it('sends no REQUIRETLS message, which SES cannot keep', async () => {
    const original = message()
    const outcomes = await send({
      message: { ...original, envelope: { ...original.envelope, requireTls: true } },
    })
    const outcome = outcomes.get('b@partner.example')
    assert.deepEqual(
      [outcome?.outcome, outcome?.reply.enhanced, requests.length],
      ['PermanentFailure', '5.7.30', 0],
    )
  })

  it('sends a DSN about a REQUIRETLS message with TLS required, since nobody would be told of its loss', async () => {
    const notification = message({ mailFrom: '' })
    const outcomes = await send({
      message: { ...notification, envelope: { ...notification.envelope, requireTls: true } },
    })
    assert.equal(outcomes.get('b@partner.example')?.outcome, 'Delivered')
    assert.equal(requests[0]?.get('ConfigurationSetName'), configurationSets.requireTls)
  })

  it('leaves Source out for the null reverse path', async () => {
    await send({ message: message({ mailFrom: '' }) })
    assert.equal(requests[0]?.has('Source'), false)
  })

  it('makes a call for each fifty recipients, and each call’s outcome is its recipients’ own', async () => {
    const recipients = Array.from({ length: 101 }, (_, n) => recipient({ address: `r${n}@partner.example` }))
    respond = (response, request) =>
      request.get('Destinations.member.1') === 'r50@partner.example'
        ? answer(response, 400, refusal('Sender', 'Throttling'))
        : answer(response, 200, accepted)
    const outcomes = await send({ recipients })
    assert.equal(requests.length, 3)
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
    it(`ends in ${outcomeName} when SES answers ${code}, and says so`, async () => {
      respond = (response) => answer(response, status, refusal('Sender', code))
      const outcome = (await send()).get('b@partner.example')
      assert.equal(outcome?.outcome, outcomeName)
      assert.match(
        outcome?.reply.text ?? '',
        new RegExp(`^Amazon SES: ${code.replace('Exception', '')}.*because`),
      )
      assert.equal(requests.length, 1)
    })
  }

  it('ends in TemporaryFailure when the attempt runs out of time', async () => {
    const abort = new AbortController()
    respond = () => abort.abort()
    const outcome = (await send({}, abort.signal)).get('b@partner.example')
    assert.equal(outcome?.outcome, 'TemporaryFailure')
  })

  it('ends in TemporaryFailure when SES hangs up, and is not repeated on the spot', async () => {
    respond = (response) => response.destroy()
    const outcome = (await send()).get('b@partner.example')
    assert.deepEqual([outcome?.outcome, requests.length], ['TemporaryFailure', 1])
  })
})
