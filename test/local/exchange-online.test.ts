/**
 * Tests mail from Exchange Online end to end: any tenant has the certificate and the addresses of ours, and only the
 * connector's tenant may relay. Asserts the reply to each message, and the trace of each that is accepted.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import { dkimSign } from 'mailauth/lib/dkim/sign.js'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import {
  Api,
  type ClientTls,
  launchTrusting,
  messageIdIn,
  type RunnerProcess,
  SmtpClient,
  startRunner,
  type Trace,
  waitForResult,
} from '../support/local/runner.ts'
import { createPki } from '../support/pki.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

const tenantId = '72f988bf-86f1-41af-91ab-2d7cd011db47'
const otherId = '00000000-1111-2222-3333-444444444444'

const publicCa = await createPki('Public CA')
const exchange = await publicCa.issue({ names: ['mail.protection.outlook.com'] })
const otherCertificate = await publicCa.issue({ names: ['mail.protection.theirs.example'] })
const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const signingKey = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
/** RFC 8463 §4: the last 32 octets are the key without its structure. */
const keyOctets = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)
const keyRecord = { TXT: [`v=DKIM1; k=ed25519; p=${keyOctets.toString('base64')}`] }

let runner: RunnerProcess
let api: Api
let mailboxes: Partner
let remote: Partner
let connector = ''

before(
  async () => {
    mailboxes = await startPartner()
    remote = await startPartner()
    runner = await startRunner(zone(), ['--no-demo'], launchTrusting(publicCa.ca))
    api = new Api(runner.endpoints)
    await setUpMailboxServer(api, mailboxes)
    connector = await api.create('inbound', {
      name: 'our tenant',
      connectorType: 'OnPremises',
      senderDomains: ['*'],
      tlsSenderCertificateNames: ['mail.protection.outlook.com'],
      exchangeOnline: { tenantIds: [tenantId], originatorOrganizations: ['ours.example'] },
    })
  },
  { timeout: 120_000 },
)

after(async () => {
  await runner?.stop()
  await Promise.all([mailboxes, remote].map((partner) => partner?.stop()))
})

function zone() {
  return {
    names: {
      'world.example': { MX: [[10, 'mx.world.example']] },
      'mx.world.example': { A: ['127.0.0.11'] },
      'waiting.example': { fail: 'SERVFAIL' },
      's._domainkey.ours.example': keyRecord,
      's._domainkey.theirs.example': keyRecord,
      'broken._domainkey.ours.example': { fail: 'SERVFAIL' },
    },
    ports: { '127.0.0.11': `127.0.0.1:${remote.port}` },
  }
}

const denied = '550 5.7.64 Relay access denied'
const undetermined = '451 4.7.64 Cannot determine now which tenant sent the message'
const field = (value: string, name = 'X-MS-Exchange-CrossTenant-Id') => `${name}: ${value}\r\n`

interface Signature {
  domain: string
  selector?: string
}

interface Case {
  title: string
  /** Fields above and below the other fields of the message. */
  above?: string
  below?: string
  signature?: Signature
  /** More text. */
  text?: string
  from?: string
  /** The address of From:. */
  author?: string
  to?: string[]
  tls?: ClientTls
  /** Default: DATA. */
  command?: 'BDAT'
  expected: string | { direction: string; granted: RegExp | null }
}

const byTenant = { direction: 'Originating', granted: /by its certificate and its tenant id 72f988bf-/ }
const byOrganization = {
  direction: 'Originating',
  granted: /by its certificate and its organization ours\.example \(X-OriginatorOrg\)/,
}
const bySignature = {
  direction: 'Originating',
  granted: /by its certificate and the DKIM signature of the accepted domain ours\.example/,
}
const fromInternet = { direction: 'Incoming', granted: null }

const cases: Case[] = [
  { title: 'with the right tenant id', above: field(tenantId), expected: byTenant },
  { title: 'with the right tenant id, by BDAT', above: field(tenantId), command: 'BDAT', expected: byTenant },
  { title: 'with another tenant id', above: field(otherId), expected: denied },
  { title: 'with another tenant id, by BDAT', above: field(otherId), command: 'BDAT', expected: denied },
  {
    title: 'with the right tenant id forged above the real one',
    above: field(tenantId),
    below: field(otherId),
    expected: denied,
  },
  {
    title: 'with the right tenant id forged below the real one',
    above: field(otherId),
    below: field(tenantId),
    expected: denied,
  },
  {
    title: 'with the right tenant id twice',
    above: field(tenantId),
    below: field(tenantId),
    expected: denied,
  },
  {
    title: 'with the right tenant id in another letter case',
    above: field(tenantId.toUpperCase(), 'x-ms-exchange-CROSSTENANT-id'),
    expected: byTenant,
  },
  {
    title: 'with the right tenant id in a folded line',
    above: field(`\r\n\t${tenantId}`),
    expected: byTenant,
  },
  {
    title: 'with the right tenant id after a space before the colon',
    above: field(tenantId, 'X-MS-Exchange-CrossTenant-Id '),
    expected: denied,
  },
  {
    title: 'with the right organization',
    below: field('ours.example', 'X-OriginatorOrg'),
    expected: byOrganization,
  },
  { title: 'with another organization', below: field('theirs.example', 'X-OriginatorOrg'), expected: denied },
  {
    title: 'with the right organization and another tenant id',
    below: field('ours.example', 'X-OriginatorOrg') + field(otherId),
    expected: denied,
  },
  {
    title: 'without fields, with an aligned signature of an accepted domain',
    signature: { domain: 'ours.example' },
    expected: bySignature,
  },
  {
    title: 'of 600 KB without fields, with an aligned signature of an accepted domain',
    signature: { domain: 'ours.example' },
    text: 'text  \r\n'.repeat(75_000),
    expected: bySignature,
  },
  {
    title: 'of 600 KB with another tenant id',
    above: field(otherId),
    text: 'text  \r\n'.repeat(75_000),
    expected: denied,
  },
  {
    title: 'without fields, with a signature of another domain',
    author: 'a@theirs.example',
    signature: { domain: 'theirs.example' },
    expected: denied,
  },
  {
    title: 'without fields, with a signature of an accepted domain that is not aligned',
    author: 'a@theirs.example',
    signature: { domain: 'ours.example' },
    expected: denied,
  },
  { title: 'without fields and signature', expected: denied },
  {
    title: 'without fields, with a signature whose key DNS does not return',
    signature: { domain: 'ours.example', selector: 'broken' },
    expected: undetermined,
  },
  {
    title: 'with another tenant id and a signature of an accepted domain',
    above: field(otherId),
    signature: { domain: 'ours.example' },
    expected: denied,
  },
  {
    title: 'from the null reverse path with the right tenant id',
    from: '',
    above: field(tenantId),
    expected: byTenant,
  },
  {
    title: 'from the null reverse path with another tenant id',
    from: '',
    above: field(otherId),
    expected: denied,
  },
  {
    title: 'of a sender domain of others with the right tenant id',
    from: 'a@theirs.example',
    above: field(tenantId),
    expected: denied,
  },
  {
    title: 'of another certificate with the right tenant id',
    tls: otherCertificate,
    above: field(tenantId),
    expected: denied,
  },
  {
    title: 'without certificate with the right tenant id',
    tls: {},
    above: field(tenantId),
    expected: denied,
  },
  {
    title: 'to our user with another tenant id',
    to: ['u@ours.example'],
    above: field(otherId),
    expected: fromInternet,
  },
  {
    title: 'to our user with the right tenant id',
    to: ['u@ours.example'],
    above: field(tenantId),
    expected: byTenant,
  },
  {
    title: 'to our user of a sender domain of others',
    to: ['u@ours.example'],
    from: 'a@theirs.example',
    above: field(otherId),
    expected: fromInternet,
  },
  {
    title: 'to our user and another with another tenant id',
    to: ['u@ours.example', 'x@world.example'],
    above: field(otherId),
    expected: denied,
  },
  {
    title: 'to our user and another with the right tenant id',
    to: ['u@ours.example', 'x@world.example'],
    above: field(tenantId),
    expected: byTenant,
  },
]

let serial = 0

async function messageOf({
  above = '',
  below = '',
  signature,
  text = '',
  author = 'a@ours.example',
}: Case): Promise<Buffer> {
  serial += 1
  const header = `${above}From: <${author}>\r\nTo: <x@world.example>\r\nSubject: ${serial}\r\n${below}`
  const message = Buffer.from(`${header}\r\n.text ${serial}\r\n${text}`)
  return signature ? sign(message, signature) : message
}

async function sign(message: Buffer, { domain, selector = 's' }: Signature): Promise<Buffer> {
  const signer = { signingDomain: domain, selector, privateKey: signingKey }
  const { signatures } = await dkimSign(message, { ...signer, signatureData: [signer] })
  return Buffer.concat([Buffer.from(signatures), message])
}

/** @returns the first negative reply, or the reply to the message */
async function send(sent: Case): Promise<string> {
  const { from = 'a@ours.example', to = ['x@world.example'], tls = exchange, command } = sent
  const content = (await messageOf(sent)).toString('latin1')
  const client = await SmtpClient.open(runner.endpoints, tls)
  try {
    if (command !== 'BDAT') return await client.send(from, to, content)
    for (const line of [`MAIL FROM:<${from}>`, ...to.map((address) => `RCPT TO:<${address}>`)])
      assert.match(await client.command(line), /^250 /)
    // The name of the field is split between two chunks.
    client.write(`BDAT 10\r\n${content.slice(0, 10)}BDAT ${content.length - 10} LAST\r\n${content.slice(10)}`)
    assert.match(await client.reply(), /^250 /)
    return await client.reply()
  } finally {
    client.close()
  }
}

const grantsOf = (trace: Trace): string[] =>
  trace.recipients.map(
    ({ verdict }) => verdict.considered.find(({ outcome }) => outcome === 'Grants')?.why ?? '',
  )

for (const sent of cases) {
  const { title, expected } = sent
  const result = typeof expected === 'string' ? expected.slice(0, 10) : `250 as ${expected.direction}`
  test(`mail of the certificate of Exchange Online ${title} gets ${result}`, async () => {
    const reply = await send(sent)
    if (typeof expected === 'string') return assert.equal(reply, expected)
    assert.match(reply, /^250 2\.0\.0 /)
    const trace = await api.settled(messageIdIn(reply))
    assert.equal(trace.direction, expected.direction)
    for (const recipient of trace.recipients)
      assert.equal(recipient.state, 'Delivered', recipient.verdict.explanation)
    for (const why of grantsOf(trace)) assert.match(why, expected.granted ?? /^$/)
  })
}

test('the remote server has received only mail of our tenant', () => {
  const accepted = cases.filter(
    ({ expected, to = ['x@world.example'] }) =>
      typeof expected === 'object' && to.includes('x@world.example'),
  )
  assert.equal(remote.received.length, accepted.length)
  for (const { content } of remote.received)
    assert.doesNotMatch(content.toString('latin1'), new RegExp(otherId))
})

test('a client that pipelines its next message gets both replies in order', async () => {
  const client = await SmtpClient.open(runner.endpoints, exchange)
  const transaction = (content: string) =>
    `MAIL FROM:<a@ours.example>\r\nRCPT TO:<x@world.example>\r\nBDAT ${content.length} LAST\r\n${content}`
  client.write(transaction(`${field(otherId)}\r\n`) + transaction(`${field(tenantId)}\r\n`))
  const replies: string[] = []
  for (let count = 0; count < 6; count++) replies.push(await client.reply())
  client.close()
  await api.settled(messageIdIn(replies.at(-1) ?? ''))
  const codes = replies.map((reply) => reply.slice(0, 9))
  assert.deepEqual(codes, ['250 2.1.0', '250 2.1.5', '550 5.7.6', '250 2.1.0', '250 2.1.5', '250 2.0.0'])
})

test('a message that loops between the tenant and the gateway ends at its fourth arrival', async () => {
  let content = `${field(tenantId)}Subject: loop\r\n\r\ntext\r\n`
  for (let pass = 1; ; pass++) {
    const client = await SmtpClient.open(runner.endpoints, exchange)
    const reply = await client.send('a@ours.example', ['loop@world.example'], content)
    client.close()
    if (pass > 3) return assert.equal(reply, '554 5.4.6 Routing loop detected')
    assert.match(reply, /^250 /)
    await api.settled(messageIdIn(reply))
    content = remote.received.at(-1)?.content.toString('latin1') ?? ''
    assert.equal(content.match(/^Received: /gm)?.length, pass)
  }
})

test('a report-only connector grants relay to its tenant only', async () => {
  await api.change(`/inbound-connectors/${connector}`, { mode: 'ReportOnly' })
  const granted = await waitForResult(async () => {
    const reply = await send({ title: '', above: field(tenantId), expected: '' })
    return reply.startsWith('250') ? reply : null
  })
  const trace = await api.settled(messageIdIn(granted))
  assert.match(grantsOf(trace)[0] ?? '', byTenant.granted)
  assert.equal(await send({ title: '', above: field(otherId), expected: '' }), denied)
})

test('a message that waits is decided with the connectors of the next decision', async () => {
  await api.change(`/inbound-connectors/${connector}`, { mode: 'Enforce' })
  const [stays, loses] = [
    { title: '', above: field(tenantId), to: ['stays@waiting.example'], expected: '' },
    {
      title: '',
      below: field('ours.example', 'X-OriginatorOrg'),
      to: ['loses@waiting.example'],
      expected: '',
    },
  ]
  const ids = []
  for (const sent of [stays, loses]) ids.push(messageIdIn(await send(sent)))
  for (const id of ids) await api.settled(id, ['Deferred'])
  await api.change(`/inbound-connectors/${connector}`, {
    exchangeOnline: { tenantIds: [tenantId], originatorOrganizations: [] },
  })
  const reasons: (string | undefined)[] = []
  for (const id of ids) {
    await api.call('POST', `/messages/${id}/retry`)
    const retried = await waitForResult(async () => {
      const [recipient] = (await api.settled(id)).recipients
      return recipient && (recipient.attempts.length > 1 || recipient.state === 'Bounced') ? recipient : null
    })
    reasons.push(retried.verdict.reason)
  }
  assert.deepEqual(reasons, ['RetryLater', 'RelayDenied'])
})
