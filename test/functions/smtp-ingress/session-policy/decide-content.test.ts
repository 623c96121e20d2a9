/** Mail that only its content can show to come from the connector's tenant of Exchange Online. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { Intake } from '../../../../functions/smtp-ingress/intake/intake.ts'
import { Spool } from '../../../../functions/smtp-ingress/intake/spool.ts'
import type { RateLimitRefusal } from '../../../../functions/smtp-ingress/limits/message-rate-limiter.ts'
import { tooManyForConnector } from '../../../../functions/smtp-ingress/limits/message-rate-limiter.ts'
import { Metrics } from '../../../../functions/smtp-ingress/metrics.ts'
import { parseCommand } from '../../../../functions/smtp-ingress/protocol/command.ts'
import type { Rejection } from '../../../../functions/smtp-ingress/rejections/rejection.ts'
import {
  ConnectorSessionPolicy,
  type SessionPolicyParts,
} from '../../../../functions/smtp-ingress/session-policy/connector-session-policy.ts'
import {
  SignatureVerifier,
  type SignatureVerifierOptions,
} from '../../../../functions/smtp-ingress/session-policy/signature-verifier.ts'
import { sdkObjectStore } from '../../../../shared/content/segment-writer.ts'
import { formatReply } from '../../../../shared/mail/reply.ts'
import type { Snapshot } from '../../../../shared/policy/snapshot.ts'
import { inbound, overTls, overTlsWith, receivedAt, snapshot } from '../../../support/fixtures.ts'
import { MemoryBucket, MemoryQueue } from '../../../support/memory-storage.ts'

const greeting = { name: 'client.example', isEsmtp: true }

const tenantId = '72f988bf-86f1-41af-91ab-2d7cd011db47'
const other = '00000000-86f1-41af-91ab-2d7cd011db47'
const certificateName = 'mail.protection.outlook.com'
const exchangeTls = overTlsWith({ commonName: certificateName, subjectAltNames: [certificateName] })

const tenantConnector = inbound({
  name: 'Tenant',
  connectorType: 'OnPremises',
  senderDomains: ['*'],
  tlsSenderCertificateNames: [certificateName],
  exchangeOnline: { tenantIds: [tenantId], originatorOrganizations: ['ours.example'] },
})
/** As administrators wrote it before the field existed. */
const everyTenant = { ...tenantConnector, exchangeOnline: null }
const withTenant = snapshot({ inbound: [tenantConnector] })

const directory = await mkdtemp(join(tmpdir(), 'decide-content-'))
after(() => rm(directory, { recursive: true }))
const spool = await Spool.open(directory, 64 * 1024 * 1024)

type Verify = SignatureVerifierOptions['verify']

interface Setup {
  current?: Snapshot | Error
  latest?: Snapshot | Error
  verify?: Verify
  timeoutMs?: number
  tls?: typeof overTls
  countMessage?(ip: string | null, connectors: readonly { name: string }[]): RateLimitRefusal | null
}

function start({ current = withTenant, latest, verify, timeoutMs, tls = exchangeTls, countMessage }: Setup) {
  const lines: Record<string, unknown>[] = []
  const metrics = new Metrics()
  const queue = new MemoryQueue()
  const bucket = new MemoryBucket()
  const intake = new Intake({
    s3: bucket.client,
    objects: sdkObjectStore(bucket.client, 'content'),
    queue,
    probeQueue: async () => {},
    bucket: 'content',
    hostname: 'mx.ours.example',
    maxMessageOctets: 8 * 1024 * 1024,
    maxHeaderOctets: 256 * 1024,
    memory: { memoryOctets: 64 * 1024, maxUploads: 2 },
    spool,
    log: () => {},
  })
  const connectors = { current, latest: latest ?? current }
  const read = (source: 'current' | 'latest') => {
    const snapshot = connectors[source]
    if (snapshot instanceof Error) throw snapshot
    return snapshot
  }
  const notified: unknown[] = []
  const rejections: Rejection[] = []
  const parts = {
    environment: { MAIL_HOSTNAME: 'mx.ours.example', POSTMASTER_ADDRESS: null, MAX_MESSAGE_SIZE: 1_000_000 },
    connectors: { current: () => read('current'), latest: async () => read('latest'), areFailing: false },
    intake,
    tls: { facts: () => tls, refuseResumption() {} },
    handshakeCosts: { requestNext() {} },
    rejections: { report: (rejection: Rejection) => rejections.push(rejection) },
    certificateNotifier: { notifyRefusal: (...facts: unknown[]) => notified.push(facts) },
    rates: { countMessage: countMessage ?? (() => null), stop() {} },
    signatures: new SignatureVerifier({
      verify: verify ?? (async () => assert.fail('signatures are verified')),
      ...(timeoutMs !== undefined && { timeoutMs }),
    }),
    metrics,
    log: (_level: string, message: string, fields: object) => lines.push({ message, ...fields }),
    now: () => receivedAt,
  } as unknown as SessionPolicyParts
  const policy = new ConnectorSessionPolicy(parts, { ip: '192.0.2.1', port: 25 })
  policy.checkTlsSession({ isSessionReused: () => false } as TLSSocket, true)
  return { policy, queue, bucket, lines, metrics, connectors, notified, rejections }
}

function parse<V extends 'MAIL' | 'RCPT'>(line: string, verb: V) {
  const command = parseCommand(Buffer.from(line))
  assert.ok('verb' in command && command.verb === verb)
  return command as Extract<typeof command, { verb: V }>
}

interface Mail {
  header?: string
  from?: string
  to?: string[]
  body?: string
}

/** Sends MAIL and RCPT, and the content in small pieces. */
async function begin(
  { policy }: ReturnType<typeof start>,
  { header = '', from = 'a@ours.example', to = ['b@elsewhere.example'], body = 'text\r\n' }: Mail = {},
) {
  const mail = parse(`MAIL FROM:<${from}>`, 'MAIL')
  policy.mail(mail, greeting)
  const commands = to.map((address) => parse(`RCPT TO:<${address}>`, 'RCPT'))
  const replies: string[] = []
  for (const command of commands) replies.push(formatReply(await policy.recipient(command, mail)))
  const recipients = commands.flatMap(({ recipient }, index) =>
    replies[index]?.startsWith('250') ? [recipient] : [],
  )
  const sink = policy.data({ greeting, mail, recipients })
  assert.ok('end' in sink)
  const content = Buffer.from(`Subject: x\r\n${header}\r\n${body}`, 'latin1')
  const piece = Math.max(7, Math.ceil(content.length / 100))
  for (let at = 0; at < content.length; at += piece)
    await sink.write(Buffer.from(content.subarray(at, at + piece)))
  return { replies, sink }
}

async function send(task: ReturnType<typeof start>, mail: Mail = {}): Promise<string> {
  const { sink } = await begin(task, mail)
  return formatReply(await sink.end(null, null)).replace(/ as .*/, '')
}

const accepted = '250 2.0.0 Ok: queued'
const denied = '550 5.7.64 Relay access denied'
const undetermined = '451 4.7.64 Cannot determine now which tenant sent the message'
const idField = (id: string, name = 'X-MS-Exchange-CrossTenant-Id') => `${name}: ${id}\r\n`

const signedBy =
  (domains: string[], isTemporary = false): Verify =>
  async () => ({ domains, isTemporary })

const rows: [
  title: string,
  setup: Setup & Mail,
  reply: string,
  attributedTo: string | null,
  log: RegExp | undefined,
][] = [
  ['with the right tenant id', { header: idField(tenantId) }, accepted, 'id-tenant', /its tenant id 72f9/],
  ['with another tenant id', { header: idField(other) }, denied, null, /names another tenant \(0000/],
  [
    'with the right tenant id above the real one',
    { header: idField(tenantId) + idField(other) },
    denied,
    null,
    /CrossTenant-Id is repeated/,
  ],
  [
    'with the right tenant id below the real one',
    { header: idField(other) + idField(tenantId) },
    denied,
    null,
    /CrossTenant-Id is repeated/,
  ],
  ['with the right tenant id twice', { header: idField(tenantId).repeat(2) }, denied, null, /is repeated/],
  [
    'with the right tenant id after a space before the colon',
    { header: idField(tenantId, 'X-MS-Exchange-CrossTenant-Id ') },
    denied,
    null,
    /\(unusable field\)/,
  ],
  [
    'with ten thousand organizations',
    { header: 'X-OriginatorOrg:\r\n'.repeat(10_000) },
    denied,
    null,
    /is repeated/,
  ],
  [
    'with the right organization',
    { header: 'X-OriginatorOrg: ours.example\r\n' },
    accepted,
    'id-tenant',
    /organization ours\.example/,
  ],
  [
    'with another organization and no signature',
    { header: 'X-OriginatorOrg: theirs.example\r\n', verify: signedBy([]) },
    denied,
    null,
    /X-OriginatorOrg \(theirs\.example\) is not the connector's/,
  ],
  [
    'with a signature of an accepted domain',
    { verify: signedBy(['ours.example']) },
    accepted,
    'id-tenant',
    /DKIM/,
  ],
  [
    'with a signature of another domain',
    { verify: signedBy(['x.example']) },
    denied,
    null,
    /\(only of x\.example\)/,
  ],
  ['without signature', { verify: signedBy([]) }, denied, null, /no aligned DKIM signature/],
  ['whose key DNS does not return', { verify: signedBy([], true) }, undetermined, null, /not verified/],
  [
    'with one signature of an accepted domain and another whose key DNS does not return',
    { verify: signedBy(['ours.example'], true) },
    accepted,
    'id-tenant',
    /DKIM/,
  ],
  [
    'whose signature is not verified in time',
    { verify: () => new Promise(() => {}), timeoutMs: 1 },
    undetermined,
    null,
    /not verified/,
  ],
  ['from the null reverse path', { from: '', header: idField(tenantId) }, accepted, 'id-tenant', /tenant id/],
  [
    'to our users with another tenant id',
    { to: ['b@ours.example'], header: idField(other) },
    accepted,
    null,
    undefined,
  ],
  [
    'to our users whose key DNS does not return',
    { to: ['b@ours.example'], verify: signedBy([], true) },
    accepted,
    null,
    undefined,
  ],
  [
    'to our users and others with another tenant id',
    { to: ['b@ours.example', 'b@elsewhere.example'], header: idField(other) },
    denied,
    null,
    /another tenant/,
  ],
  [
    'to our users and others with the right tenant id',
    { to: ['b@ours.example', 'b@elsewhere.example'], header: idField(tenantId) },
    accepted,
    'id-tenant',
    /tenant id/,
  ],
  [
    'of 200 KB in the spool with the right tenant id',
    { header: idField(tenantId), body: 'x\r\n'.repeat(70_000) },
    accepted,
    'id-tenant',
    /tenant id/,
  ],
  [
    'of 200 KB with a header section of 100 KB that ends with another tenant id',
    { header: `X-A: b\r\n`.repeat(12_000) + idField(other), body: 'x\r\n'.repeat(35_000) },
    denied,
    null,
    /another tenant/,
  ],
  [
    'that a report-only connector identifies, with another tenant id',
    {
      current: snapshot({ inbound: [{ ...tenantConnector, mode: 'ReportOnly' }] }),
      header: idField(other),
    },
    denied,
    null,
    /another tenant/,
  ],
]
for (const [title, { header, from, to, body, ...setup }, reply, attributedTo, log] of rows)
  test(`mail ${title} gets ${reply.slice(0, 10)}`, async () => {
    const task = start(setup)
    const mail = { ...(header !== undefined && { header }), ...(from !== undefined && { from }) }
    assert.equal(await send(task, { ...mail, ...(to && { to }), ...(body && { body }) }), reply)
    const [job] = task.queue.jobs
    assert.equal(job?.message.attributedTo ?? null, attributedTo)
    if (job) {
      assert.equal(job.message.direction, attributedTo === null ? 'Incoming' : 'Originating')
      assert.ok(job.message.exchangeOnline)
    }
    assert.equal(task.policy.isAttributed, attributedTo !== null)
    const line = task.lines.find(({ message }) => message === 'accepted' || message === 'refused')
    if (log) assert.match(String(line?.tenant), log)
    else assert.equal(line?.tenant, undefined)
    if (reply === denied) {
      assert.deepEqual([line?.reason, line?.connector], ['RelayDenied', 'id-tenant'])
      assert.deepEqual(
        task.metrics.take().map(({ metric, dimension }) => [metric, dimension?.[1]]),
        [['Refused', 'RelayDenied']],
      )
    }
  })

test('the reply to RCPT TO of a foreign sender domain is 550, without the content', async () => {
  const task = start({})
  const { replies } = await begin(task, {
    from: 'a@foreign.example',
    to: ['b@elsewhere.example', 'b@ours.example'],
  })
  assert.deepEqual(replies, [denied, '250 2.1.5 Accepted'])
  assert.match(String(task.lines[0]?.tenant), /sender domain foreign\.example is neither/)
})

test('mail of another certificate has no decision about its content, and no field of Exchange Online', async () => {
  const task = start({ tls: overTls })
  assert.equal(await send(task, { to: ['b@ours.example'], header: idField(tenantId) }), accepted)
  const [job] = task.queue.jobs
  assert.deepEqual([job?.message.exchangeOnline, job?.message.direction], [undefined, 'Incoming'])
})

test('a connector that admits every tenant stores what the message shows, for a stricter connector later', async () => {
  const task = start({ current: snapshot({ inbound: [everyTenant] }) })
  assert.equal(await send(task, { header: idField(tenantId) }), accepted)
  const [job] = task.queue.jobs
  assert.equal(job?.message.attributedTo, 'id-tenant')
  assert.deepEqual(job?.message.exchangeOnline?.tenantIds, [tenantId])
})

test('a permanent refusal rests on connectors that were read after the end of data', async () => {
  const other = { ...tenantConnector, exchangeOnline: { tenantIds: [tenantId], originatorOrganizations: [] } }
  const old = { ...other, exchangeOnline: { tenantIds: [], originatorOrganizations: ['x.example'] } }
  const task = start({
    current: snapshot({ inbound: [old] }),
    latest: snapshot({ inbound: [other] }),
    verify: signedBy([]),
  })
  assert.equal(await send(task, { header: idField(tenantId) }), accepted)
  const stricter = start({ current: snapshot({ inbound: [everyTenant] }) })
  const { sink } = await begin(stricter, { header: idField(other.id) })
  stricter.connectors.current = withTenant
  stricter.connectors.latest = withTenant
  assert.equal(formatReply(await sink.end(null, null)), denied)
})

for (const source of ['current', 'latest'] as const)
  test(`mail gets 451 while the ${source} connectors cannot be read at the end of data`, async () => {
    const task = start({})
    const { sink } = await begin(task, { header: idField(other) })
    task.connectors[source] = new Error('the table is away')
    assert.match(formatReply(await sink.end(null, null)), /^451 4\.3\.0 /)
    assert.match(String(task.lines.at(-1)?.cause), /the table is away/)
  })

test('messageRateLimit of a tenant counts only mail that shows the tenant, and refuses it at its end', async () => {
  const counted: [string | null, string[]][] = []
  let isLimited = false
  const task = start({
    countMessage: (ip, connectors) => {
      counted.push([ip, connectors.map(({ name }) => name)])
      return isLimited && connectors.length > 0 ? { ...tooManyForConnector, connector: 'id-tenant' } : null
    },
  })
  assert.equal(
    await send(task, { header: idField(other), to: ['b@ours.example', 'c@ours.example'] }),
    accepted,
  )
  assert.deepEqual(counted.splice(0), [['192.0.2.1', []]])
  assert.equal(await send(task, { header: idField(tenantId) }), accepted)
  assert.deepEqual(counted.splice(0), [
    ['192.0.2.1', []],
    [null, ['Tenant']],
  ])
  isLimited = true
  assert.match(await send(task, { header: idField(tenantId) }), /^451 4\.7\.0 Too many messages/)
  assert.equal(task.lines.at(-1)?.connector, 'id-tenant')
})

test('a client that gives the message up while its signature is verified ends the verification, and nothing is stored', async () => {
  const verified = Promise.withResolvers<AbortSignal>()
  const task = start({
    verify: (_content, signal) => {
      verified.resolve(signal)
      return new Promise(() => {})
    },
  })
  const { sink } = await begin(task)
  const end = sink.end(null, null)
  const signal = await verified.promise
  sink.abandon()
  assert.ok(signal.aborted)
  await end
  assert.deepEqual(task.queue.jobs, [])
})

test('at most eight messages are verified at the same time, and messages that wait too long get 451', async () => {
  const running = new Set<AbortSignal>()
  let maxRunning = 0
  const task = start({
    timeoutMs: 20,
    verify: async (_content, signal) => {
      maxRunning = Math.max(maxRunning, running.add(signal).size)
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      running.delete(signal)
      return { domains: [], isTemporary: true }
    },
  })
  const messages = []
  for (let at = 0; at < 20; at++) messages.push(await begin(task))
  const replies = await Promise.all(messages.map(async ({ sink }) => formatReply(await sink.end(null, null))))
  assert.deepEqual([...new Set(replies)], [undetermined])
  assert.equal(maxRunning, 8)
})

const normalisedRows = [
  ['in the header section', 5, denied],
  ['at its end', 12 + idField(tenantId).length, denied],
  ['in the empty line', 13 + idField(tenantId).length, denied],
  ['in the text', 20 + idField(tenantId).length, accepted],
] as const
for (const [where, normalisedFrom, reply] of normalisedRows)
  test(`mail with the right tenant id and a bare newline that was normalised ${where} gets ${reply.slice(0, 3)}`, async () => {
    const { sink } = await begin(start({}), { header: idField(tenantId) })
    assert.equal(formatReply(await sink.end(null, normalisedFrom)).replace(/ as .*/, ''), reply)
  })

test('an unexpected error of the verification causes 451', async () => {
  const task = start({ verify: async () => Promise.reject(new Error('unexpected')) })
  assert.match(await send(task), /^451 4\.3\.0 /)
  assert.deepEqual([task.lines.at(-1)?.reason, task.queue.jobs], ['InternalError', []])
})

test('a rejection has what the message shows of its tenant, and the level that the connector requires', async () => {
  const task = start({})
  assert.equal(await send(task, { header: idField(other), to: ['b@elsewhere.example', 'c@x.test'] }), denied)
  const [{ connector, requiredLevel, details } = assert.fail('no rejection')] = task.rejections
  assert.deepEqual([connector, requiredLevel], ['id-tenant', 'EncryptionOnly'])
  const { tenantIds, originatorOrganizations, alignedSignatures, recipient, recipients } = details()
  assert.deepEqual(
    [tenantIds, originatorOrganizations, alignedSignatures, recipient, recipients],
    [other, '', undefined, 'b@elsewhere.example', 2],
  )
})
