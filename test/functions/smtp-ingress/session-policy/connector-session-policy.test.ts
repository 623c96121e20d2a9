/** Which refusals of messages are counted as storage failures, for the alarm; which mail is a canary. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { ulid } from 'ulid'
import type { MessageWithoutContent } from '../../../../functions/smtp-ingress/intake/evaluation-jobs.ts'
import type { Outcome } from '../../../../functions/smtp-ingress/intake/incoming-message.ts'
import type { MessageRateLimiter } from '../../../../functions/smtp-ingress/limits/message-rate-limiter.ts'
import { Metrics } from '../../../../functions/smtp-ingress/metrics.ts'
import { parseCommand } from '../../../../functions/smtp-ingress/protocol/command.ts'
import type { MessageSink } from '../../../../functions/smtp-ingress/protocol/message-sink.ts'
import type { Rejection } from '../../../../functions/smtp-ingress/rejections/rejection.ts'
import {
  insufficientSpool,
  spoolUnavailable,
  storageUnavailable,
  tooManyErrors,
  tooManyLargeMessages,
} from '../../../../functions/smtp-ingress/replies.ts'
import {
  ConnectorSessionPolicy,
  type SessionPolicyParts,
} from '../../../../functions/smtp-ingress/session-policy/connector-session-policy.ts'
import { LastCanary } from '../../../../functions/smtp-ingress/session-policy/last-canary.ts'
import type { TlsFacts } from '../../../../shared/contract/message.ts'
import { canaryAddress } from '../../../../shared/mail/canary-address.ts'
import { inbound, overTls, receivedAt, snapshot } from '../../../support/fixtures.ts'

const greeting = { name: 'client.example', isEsmtp: true }

const cause = new Error('internal')
const outcomes: [name: string, outcome: Outcome, failureCount: number][] = [
  ['that S3 or SQS did not store', { ...storageUnavailable, cause }, 1],
  ['that a failing disk did not store', { ...spoolUnavailable, cause }, 1],
  ['for which the disk is full before the spool has reached its limit', { ...insufficientSpool, cause }, 1],
  ['for which the spool is full', insufficientSpool, 0],
  ['that timed out in the upload queue', tooManyLargeMessages, 0],
  ['that is stored', { size: 10 }, 0],
]
for (const [name, outcome, failureCount] of outcomes)
  test(`a message ${name} is ${failureCount === 0 ? 'not ' : ''}counted in StorageFailures`, async () => {
    const metrics = new Metrics()
    const policy = new ConnectorSessionPolicy(partsWith(outcome, metrics), { ip: '192.0.2.1', port: 25 })
    const mail = read('MAIL FROM:<a@elsewhere.example>', 'MAIL')
    const rcpt = read('RCPT TO:<b@ours.example>', 'RCPT')
    policy.mail(mail, greeting)
    await policy.recipient(rcpt, mail)
    const sink = policy.data({
      greeting,
      mail,
      recipients: [rcpt.recipient],
    })
    assert.ok('end' in sink)
    await sink.end(null, null)
    const counts = metrics.take().filter(({ metric }) => metric === 'StorageFailures')
    assert.equal(
      counts.reduce((sum, { count }) => sum + count, 0),
      failureCount,
    )
  })

const hostname = 'mx.ours.example'
const id = ulid(receivedAt.getTime())
const address = canaryAddress(id, hostname)
const accepted = 250
const relayDenied = 550

const canaryRows: {
  title: string
  last: string | null | Error
  tls?: TlsFacts | null
  from?: string
  to?: string
  code: number
  isCanary: boolean
}[] = [
  { title: 'with the id of the last canary', last: id, code: accepted, isCanary: true },
  { title: 'in lower case', last: id, to: address.toLowerCase(), code: accepted, isCanary: true },
  {
    title: 'with an id that a stranger chose',
    last: ulid(receivedAt.getTime()),
    code: relayDenied,
    isCanary: false,
  },
  { title: 'before the first canary', last: null, code: relayDenied, isCanary: false },
  {
    title: 'with the id of an hour ago, although it is the last',
    last: ulid(receivedAt.getTime() - 3_600_000),
    to: canaryAddress(ulid(receivedAt.getTime() - 3_600_000), hostname),
    code: relayDenied,
    isCanary: false,
  },
  { title: 'without TLS', last: id, tls: null, code: relayDenied, isCanary: false },
  {
    title: 'from a sender that would get a DSN',
    last: id,
    from: 'a@elsewhere.example',
    code: relayDenied,
    isCanary: false,
  },
  {
    title: 'to another domain',
    last: id,
    to: canaryAddress(id, 'ours.example'),
    code: accepted,
    isCanary: false,
  },
  { title: 'while the table fails', last: new Error('throttled'), code: 451, isCanary: false },
]
for (const { title, last, tls = overTls, from = '', to = address, code, isCanary } of canaryRows)
  test(`mail to the address of a canary ${title} gets ${code} and is ${isCanary ? '' : 'not '}a canary`, async () => {
    const messages: MessageWithoutContent[] = []
    const parts = partsWith({ size: 10 }, new Metrics(), (message) => messages.push(message))
    const lastCanary = new LastCanary(async () => {
      if (last instanceof Error) throw last
      return last
    })
    const policy = new ConnectorSessionPolicy({ ...parts, lastCanary }, { ip: '192.0.2.1', port: 25 })
    if (tls !== null) policy.checkTlsSession({ isSessionReused: () => false } as TLSSocket, true)
    const mail = read(`MAIL FROM:<${from}>`, 'MAIL')
    const rcpt = read(`RCPT TO:<${to}>`, 'RCPT')
    policy.mail(mail, greeting)
    const answer = await policy.recipient(rcpt, mail)
    assert.equal(answer.code, code)
    if (code !== accepted) return
    policy.data({ greeting, mail, recipients: [rcpt.recipient] })
    assert.deepEqual(
      messages.map(({ canary }) => canary),
      [isCanary ? to : undefined],
    )
  })

for (const [name, to, rejections] of [
  ['a canary that cannot be stored is no rejection', address, 0],
  ['other mail that cannot be stored is a rejection', 'b@ours.example', 1],
] as const)
  test(name, async () => {
    const reported: Rejection[] = []
    const parts = {
      ...partsWith(storageUnavailable, new Metrics()),
      lastCanary: new LastCanary(async () => id),
      rejections: { report: (rejection: Rejection) => void reported.push(rejection) },
    }
    const policy = new ConnectorSessionPolicy(parts, { ip: '192.0.2.1', port: 25 })
    policy.checkTlsSession({ isSessionReused: () => false } as TLSSocket, true)
    const mail = read('MAIL FROM:<>', 'MAIL')
    const rcpt = read(`RCPT TO:<${to}>`, 'RCPT')
    policy.mail(mail, greeting)
    await policy.recipient(rcpt, mail)
    const sink = policy.data({ greeting, mail, recipients: [rcpt.recipient] })
    assert.ok('end' in sink)
    assert.equal((await sink.end(null, null)).code, 451)
    policy.recordRefusal(tooManyErrors, { stage: 'Data' }, greeting.name)
    assert.equal(reported.length, 2 * rejections)
  })

test('a canary whose id cannot be compared is no rejection', async () => {
  const parts = {
    ...partsWith({ size: 10 }, new Metrics()),
    lastCanary: new LastCanary(() => Promise.reject(new Error('throttled'))),
    rejections: { report: () => assert.fail('reported') },
  }
  const policy = new ConnectorSessionPolicy(parts, { ip: '192.0.2.1', port: 25 })
  policy.checkTlsSession({ isSessionReused: () => false } as TLSSocket, true)
  const mail = read('MAIL FROM:<>', 'MAIL')
  policy.mail(mail, greeting)
  assert.equal((await policy.recipient(read(`RCPT TO:<${address}>`, 'RCPT'), mail)).code, 451)
})

test('a Partner connector for every domain does not refuse a canary', async () => {
  const restricted = snapshot({
    inbound: [
      inbound({
        senderDomains: ['*'],
        senderIpAddresses: ['198.51.100.0/24'],
        restrictDomainsToIpAddresses: true,
      }),
    ],
  })
  const parts = { ...partsWith({ size: 10 }, new Metrics()), lastCanary: new LastCanary(async () => id) }
  parts.connectors = { ...parts.connectors, current: () => restricted, latest: async () => restricted }
  const policy = new ConnectorSessionPolicy(parts, { ip: '192.0.2.1', port: 25 })
  policy.checkTlsSession({ isSessionReused: () => false } as TLSSocket, true)
  const mail = read('MAIL FROM:<>', 'MAIL')
  policy.mail(mail, greeting)
  const codes: number[] = []
  for (const to of [address, 'b@ours.example'])
    codes.push((await policy.recipient(read(`RCPT TO:<${to}>`, 'RCPT'), mail)).code)
  assert.deepEqual([codes[0], Math.floor((codes[1] ?? 0) / 100)], [accepted, 5])
})

test('sessions that ask for the last canary at the same time share one read', async () => {
  let reads = 0
  const lastCanary = new LastCanary(async () => {
    reads += 1
    return id
  })
  const others = Array.from({ length: 50 }, () => ulid(receivedAt.getTime()))
  const answers = await Promise.all([id, ...others].map((each) => lastCanary.hasId(each, receivedAt)))
  assert.deepEqual([reads, answers.filter(Boolean).length], [1, 1])
})

test('an id of another time causes no read', async () => {
  const lastCanary = new LastCanary(async () => assert.fail('it reads'))
  assert.equal(await lastCanary.hasId(ulid(0), receivedAt), false)
})

function read<V extends 'MAIL' | 'RCPT'>(line: string, verb: V) {
  const command = parseCommand(Buffer.from(line))
  assert.ok('verb' in command && command.verb === verb)
  return command as Extract<typeof command, { verb: V }>
}

function partsWith(
  outcome: Outcome,
  metrics: Metrics,
  onMessage: (message: MessageWithoutContent) => void = () => undefined,
): SessionPolicyParts {
  const incoming: Omit<MessageSink, 'end'> & { end(): Promise<Outcome> } = {
    earlyRefusal: null,
    isRefused: false,
    announce() {},
    write: () => undefined,
    end: async () => outcome,
    abandon() {},
  }
  const rates: MessageRateLimiter = { countMessage: () => null, stop() {} }
  return {
    environment: { MAIL_HOSTNAME: 'mx.ours.example', POSTMASTER_ADDRESS: null, MAX_MESSAGE_SIZE: 1_000_000 },
    connectors: { current: () => snapshot({}), latest: async () => snapshot({}), areFailing: false },
    intake: {
      isFailing: false,
      hasRoomFor: () => true,
      begin: (_header: Buffer, message: MessageWithoutContent) => {
        onMessage(message)
        return incoming
      },
    },
    tls: { facts: () => overTls, refuseResumption() {} },
    handshakeCosts: { requestNext() {} },
    rejections: { report() {} },
    certificateNotifier: { notifyRefusal() {} },
    rates,
    metrics,
    log() {},
    now: () => receivedAt,
  } as unknown as SessionPolicyParts
}

test('a canary in the same transaction does not change the connector of another recipient', async () => {
  const own = snapshot({
    inbound: [
      inbound({ connectorType: 'OnPremises', senderDomains: ['*'], senderIpAddresses: ['192.0.2.1/32'] }),
    ],
  })
  const attributions: unknown[] = []
  for (const recipients of [['b@ours.example'], ['b@ours.example', address], [address, 'b@ours.example']]) {
    const parts = partsWith({ size: 10 }, new Metrics(), (message) => attributions.push(message.attributedTo))
    parts.connectors = { ...parts.connectors, current: () => own, latest: async () => own }
    const lastCanary = new LastCanary(async () => id)
    const policy = new ConnectorSessionPolicy({ ...parts, lastCanary }, { ip: '192.0.2.1', port: 25 })
    policy.checkTlsSession({ isSessionReused: () => false } as TLSSocket, true)
    const mail = read('MAIL FROM:<>', 'MAIL')
    policy.mail(mail, greeting)
    const commands = recipients.map((to) => read(`RCPT TO:<${to}>`, 'RCPT'))
    for (const command of commands) assert.equal((await policy.recipient(command, mail)).code, accepted)
    policy.data({
      greeting,
      mail,
      recipients: commands.map(({ recipient }) => recipient),
    })
  }
  const [expected] = attributions
  assert.notEqual(expected, null)
  assert.deepEqual(attributions, [expected, expected, expected])
})
