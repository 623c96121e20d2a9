/**
 * Tests a renewed partner certificate end to end: a notice names the new and the known certificate, the administrator
 * accepts the new certificate, and held mail is delivered.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { ObservedList } from '../../shared/transport/observed-list.ts'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import { Api, messageIdIn, type RunnerProcess, sendMessage, waitForResult } from '../support/local/runner.ts'
import { shareRunner } from '../support/local/shared-runner.ts'
import { createPki, fingerprintOf, type Identity, type Pki } from '../support/pki.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

let mailbox: Partner
const shared = shareRunner()
let runner: RunnerProcess
let api: Api
let pki: Pki
let accepted: ObservedList

before(
  async () => {
    pki = await createPki()
    mailbox = await startPartner()
    runner = await shared.enter()
    api = new Api(runner.endpoints)
    const { dynamodb, tables } = runner.endpoints
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
    const client = new DynamoDBClient({ region: 'us-east-1', credentials, endpoint: dynamodb })
    accepted = new ObservedList(DynamoDBDocumentClient.from(client), tables.transport ?? '')
    await setUpMailboxServer(api, mailbox)
  },
  { timeout: 120_000 },
)

after(async () => {
  await mailbox?.stop()
  await shared.leave()
})

const restricted = (name: string, domain: string, onViolation: 'Bounce' | 'Defer') => ({
  name,
  connectorType: 'Partner',
  senderDomains: [domain],
  onViolation,
  restrictDomainsToCertificate: true,
  tlsSenderCertificateNames: [`mail.${domain}`],
  certificateAuthorities: [pki.ca],
})

const send = (domain: string, identity: Identity, subject = 'hello'): Promise<string> => {
  const content = `From: <a@${domain}>\r\nSubject: ${subject}\r\n\r\nHello\r\n`
  return sendMessage(runner.endpoints, `a@${domain}`, 'b@ours.example', content, identity)
}

/** Returns the text of each notice about this connector, and the JSON at its end. */
function noticesOf(connector: string) {
  const notices = readFileSync(join(runner.endpoints.logs, 'notices.log'), 'utf8').split(
    /^(?=\S+Z mailflow: )/m,
  )
  return notices
    .filter((notice) => notice.includes(`connector "${connector}"`))
    .map((text) => ({ text, json: JSON.parse(text.slice(text.indexOf('\n{\n'))) }))
}

async function noticeOf(connector: string) {
  await runner.stderrLine(new RegExp(`unknown certificate at connector "${connector}"`))
  const [notice = assert.fail('no notice'), ...others] = noticesOf(connector)
  assert.equal(others.length, 0, 'there is one notice')
  return notice
}

test("the notice of mail refused for a partner's renewed certificate names the connector and both certificates", async () => {
  const id = await api.create('inbound', restricted('Contoso', 'contoso.example', 'Bounce'))
  const old = await pki.issue({ names: ['mail.contoso.example'] })
  const renewed = await pki.issue({ names: ['mx1.contoso.example'] })
  assert.match(await send('contoso.example', old), /^250 /)
  await waitForResult(() => accepted.lastAccepted(id, new Date()))

  assert.equal(
    await send('contoso.example', renewed),
    '550 5.7.51 Sender domain is restricted to its own servers',
  )
  assert.match(await send('contoso.example', renewed), /^550 5\.7\.51 /)
  const { text, json } = await noticeOf('Contoso')
  assert.deepEqual(
    [json.connector.id, json.connector.name, json.consequence, json.senderDomain, json.ip],
    [id, 'Contoso', 'RefusedInSession', 'contoso.example', '127.0.0.1'],
  )
  assert.deepEqual(
    [json.accepted.fingerprint256, json.presented.fingerprint256],
    [fingerprintOf(old), fingerprintOf(renewed)],
  )
  assert.match(text, /presented names \[mx1\.contoso\.example\], expected \[mail\.contoso\.example\]/)
  assert.match(text, new RegExp(`SHA-256 {2}${fingerprintOf(renewed)}[^]*SHA-256 {2}${fingerprintOf(old)}`))
  assert.match(text, /issued by the connector's authority, under another name in the sender domains\.\n/)
})

test('a certificate whose mail is refused and then held causes one notice of each effect', async () => {
  const id = await api.create('inbound', restricted('Woodgrove', 'woodgrove.example', 'Bounce'))
  const renewed = await pki.issue({ names: ['mx1.woodgrove.example'] })
  const sendUntil = (code: string) =>
    waitForResult(async () => ((await send('woodgrove.example', renewed)).startsWith(code) ? code : null))
  // Until the ingress has read the new connector, evaluate-policy bounces the mail. That is the same effect.
  await sendUntil('550')
  await noticeOf('Woodgrove')
  await api.change(`/inbound-connectors/${id}`, { onViolation: 'Defer' })
  await sendUntil('250')
  await waitForResult(() => noticesOf('Woodgrove')[1] ?? null)
  await api.settled(messageIdIn(await send('woodgrove.example', renewed)), ['Deferred'])
  assert.deepEqual(
    noticesOf('Woodgrove').map(({ json }) => json.consequence === 'Held'),
    [false, true],
  )
})

test("mail held for a partner's renewed certificate is delivered once after the administrator added the name that the notice proposes", async () => {
  const connector = restricted('Fabrikam', 'fabrikam.example', 'Defer')
  const id = await api.create('inbound', connector)
  const old = await pki.issue({ names: ['mail.fabrikam.example'] })
  const renewed = await pki.issue({ names: ['mx1.fabrikam.example'] })
  const sendAccepted = async (subject: string, identity: Identity) =>
    messageIdIn(await send('fabrikam.example', identity, subject))
  const countReceived = (subject: string) =>
    mailbox.received.filter(({ content }) => content.includes(`Subject: ${subject}\r\n`)).length

  await api.settled(await sendAccepted('before', old), ['Delivered'])
  await waitForResult(() => accepted.lastAccepted(id, new Date()))
  const subjects = ['held 1', 'held 2', 'held 3']
  const heldIds = await Promise.all(subjects.map((subject) => sendAccepted(subject, renewed)))
  for (const message of heldIds) {
    const [recipient] = (await api.settled(message, ['Deferred'])).recipients
    assert.equal(recipient?.verdict.reason, 'InboundCertificateRestriction')
    assert.equal(recipient?.verdict.reply, '451 4.7.51 Sender domain is restricted to its own servers')
  }

  const { json } = await noticeOf('Fabrikam')
  assert.equal(json.consequence, 'Held')
  assert.deepEqual(
    [json.accepted.fingerprint256, json.presented.fingerprint256],
    [fingerprintOf(old), fingerprintOf(renewed)],
  )
  const retry = () => api.call<{ messages: number }>('POST', `/inbound-connectors/${id}/retry`)
  assert.equal((await retry()).messages, heldIds.length, 'the retry includes every held message')
  for (const message of heldIds) await api.settled(message, ['Deferred'])
  assert.equal(
    subjects.reduce((sum, subject) => sum + countReceived(subject), 0),
    0,
  )

  const [{ field: safest }, { field, add, admits }] = json.remedies
  assert.deepEqual(
    [safest, field, admits],
    ['certificateFingerprints', 'tlsSenderCertificateNames', 'NameFromConnectorAuthority'],
  )
  await api.change(`/inbound-connectors/${id}`, { [field]: [...connector.tlsSenderCertificateNames, add] })
  // Two requests must not cause two deliveries.
  await Promise.all([retry(), retry()])
  for (const message of heldIds) {
    const [recipient] = (await api.settled(message, ['Delivered'])).recipients
    assert.equal(
      recipient?.firstHeld?.reason,
      'InboundCertificateRestriction',
      'the trace still has the hold',
    )
  }
  await api.settled(await sendAccepted('after', renewed), ['Delivered'])
  for (const subject of ['before', ...subjects, 'after']) assert.equal(countReceived(subject), 1, subject)
  await waitForResult(async () => {
    const certificate = await accepted.lastAccepted(id, new Date())
    return certificate?.fingerprint256 === fingerprintOf(renewed) ? certificate : null
  })
})
