/**
 * Held mail, the whole story: a partner's certificate changes, its mail is held instead of lost, the administrator
 * accepts the new certificate, and what was held is delivered, once.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createPki, type Identity } from '../support/pki.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'
import { Api, idIn, type Running, sendOne, startRunner } from './support.ts'

const pki = await createPki('Contoso CA')
const before2026: Identity = await pki.issue({ names: ['mail.contoso.example'] })
const since2026: Identity = await pki.issue({ names: ['mx7.contoso.example'] })

let runner: Running
let api: Api
let mailboxes: Partner
let connector: string

before(
  async () => {
    mailboxes = await startPartner()
    runner = await startRunner({ names: {}, ports: {} })
    api = new Api(runner.endpoints)
    await api.call('PUT', '/accepted-domains/ours.example', {})
    await api.create('outbound', {
      name: 'our mailboxes',
      connectorType: 'OnPremises',
      allAcceptedDomains: true,
      route: 'SmartHosts',
      smartHosts: [{ host: '127.0.0.1', port: mailboxes.port }],
    })
    connector = await api.create('inbound', {
      name: 'Contoso',
      connectorType: 'Partner',
      senderDomains: ['contoso.example'],
      tlsSenderCertificateNames: ['mail.contoso.example'],
      certificateAuthorities: [pki.ca],
      restrictDomainsToCertificate: true,
      onViolation: 'Defer',
    })
  },
  { timeout: 60_000 },
)

after(async () => {
  await runner?.stop()
  await mailboxes?.stop()
})

const content = (subject: string) => `From: <teller@contoso.example>\r\nSubject: ${subject}\r\n\r\nhello\r\n`
const fromContoso = async (subject: string, identity: Identity): Promise<string> =>
  idIn(
    await sendOne(runner.endpoints, 'teller@contoso.example', 'ann@ours.example', content(subject), identity),
  )
const received = (subject: string) =>
  mailboxes.received.filter((one) => one.content.includes(`Subject: ${subject}\r\n`)).length

test('a partner changes its certificate: its mail is held, accepted by the administrator, and delivered once', async () => {
  const first = await api.settled(await fromContoso('before', before2026), ['Delivered'])
  assert.deepEqual(
    first.recipients[0]?.verdict.considered.map(({ name, outcome }) => [name, outcome]),
    [
      ['Contoso', 'Decides'],
      ['our mailboxes', 'Decides'],
    ],
  )

  const held = await Promise.all(['held 1', 'held 2', 'held 3'].map((each) => fromContoso(each, since2026)))
  for (const id of held) {
    const [recipient] = (await api.settled(id, ['Deferred'])).recipients
    assert.equal(recipient?.verdict.reason, 'InboundCertificateRestriction')
    assert.equal(recipient?.verdict.reply, '451 4.7.51 Sender domain is restricted to its own servers')
    assert.match(
      recipient?.verdict.explanation ?? '',
      /: presented names \[mx7\.contoso\.example\], expected \[mail\.contoso\.example\]\.$/,
    )
  }
  assert.equal(received('held 1'), 0)

  const early = await api.call<{ messages: number }>('POST', `/inbound-connectors/${connector}/retry`)
  assert.equal(early.messages, 3, 'asked for before anything was corrected')
  for (const id of held) await api.settled(id, ['Deferred'])

  await api.change(`/inbound-connectors/${connector}`, {
    tlsSenderCertificateNames: ['mail.contoso.example', 'mx7.contoso.example'],
  })
  // Twice, as an impatient administrator does.
  await Promise.all([1, 2].map(() => api.call('POST', `/inbound-connectors/${connector}/retry`)))
  for (const id of held) await api.settled(id, ['Delivered'])

  await api.settled(await fromContoso('after', since2026), ['Delivered'])
  for (const subject of ['before', 'held 1', 'held 2', 'held 3', 'after'])
    assert.equal(received(subject), 1, subject)
})
