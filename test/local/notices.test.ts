/**
 * A partner renews its certificate, end to end: the administrator hears which one appeared and which one was known,
 * accepts it, and what was held goes on.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { AcceptedCertificates } from '../../shared/messages/accepted-certificates.ts'
import { createPki, type Identity, type Pki } from '../support/pki.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'
import { Api, idIn, type Running, sendOne, startRunner, until } from './support.ts'

let mailbox: Partner
let runner: Running
let api: Api
let pki: Pki
let accepted: AcceptedCertificates

before(
  async () => {
    pki = await createPki()
    mailbox = await startPartner()
    runner = await startRunner({ names: {} })
    api = new Api(runner.endpoints)
    const { dynamodb, tables } = runner.endpoints
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
    const client = new DynamoDBClient({ region: 'us-east-1', credentials, endpoint: dynamodb })
    accepted = new AcceptedCertificates(DynamoDBDocumentClient.from(client), tables.messages ?? '')
    await api.call('PUT', '/accepted-domains/ours.example', {})
    await api.create('outbound', {
      name: 'our mailboxes',
      connectorType: 'OnPremises',
      allAcceptedDomains: true,
      route: 'SmartHosts',
      smartHosts: [{ host: '127.0.0.1', port: mailbox.port }],
    })
  },
  { timeout: 60_000 },
)

after(async () => {
  assert.equal(await runner?.stop(), 0, 'SIGTERM is a clean stop')
  await mailbox.stop()
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

const fingerprintOf = ({ cert }: Identity): string =>
  new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase()

const send = (domain: string, identity: Identity): Promise<string> =>
  sendOne(runner.endpoints, `a@${domain}`, 'b@ours.example', 'Subject: hello\r\n\r\nHello\r\n', identity)

/** What the runner wrote of the one notice about this connector, and the JSON at its end. */
async function noticeOf(connector: string) {
  await runner.complaint(new RegExp(`unknown certificate at connector "${connector}"`))
  const notices = readFileSync(join(runner.endpoints.logs, 'notices.log'), 'utf8').split(
    /^(?=\S+Z mailflow: )/m,
  )
  const [text = '', ...others] = notices.filter((notice) => notice.includes(`connector "${connector}"`))
  assert.equal(others.length, 0, 'there is one notice')
  return { text, json: JSON.parse(text.slice(text.indexOf('\n{\n'))) }
}

test('mail refused in session for a new certificate: the notice names connector, old and new', async () => {
  const id = await api.create('inbound', restricted('Contoso', 'contoso.example', 'Bounce'))
  const old = await pki.issue({ names: ['mail.contoso.example'] })
  const renewed = await pki.issue({ names: ['mx1.contoso.example'] })
  assert.match(await send('contoso.example', old), /^250 /)
  await until(() => accepted.last(id))

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
})

test('mail held for a new certificate goes on when the administrator adds what the notice says', async () => {
  const connector = restricted('Fabrikam', 'fabrikam.example', 'Defer')
  const id = await api.create('inbound', connector)
  const renewed = await pki.issue({ names: ['mx1.fabrikam.example'] })
  const message = idIn(await send('fabrikam.example', renewed))
  const held = await api.settled(message)
  assert.equal(held.recipients[0]?.state, 'Deferred')

  const { json } = await noticeOf('Fabrikam')
  assert.deepEqual([json.consequence, json.accepted], ['Held', null])
  const [{ field, add }] = json.remedies
  assert.equal(field, 'tlsSenderCertificateNames')
  await api.change(`/inbound-connectors/${id}`, { [field]: [...connector.tlsSenderCertificateNames, add] })
  await api.call('POST', `/inbound-connectors/${id}/retry`)
  const freed = await api.settled(message, ['Delivered'])
  assert.equal(freed.recipients[0]?.verdict.action, 'Deliver')
  const known = await until(() => accepted.last(id))
  assert.equal(known.fingerprint256, fingerprintOf(renewed))
})
