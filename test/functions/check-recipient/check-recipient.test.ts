/** Callouts over real connections: what the mailbox server sees, and what its behaviour means. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { calloutTimeouts, checkRecipient } from '../../../functions/check-recipient/check-recipient.ts'
import type { OutboundConnector } from '../../../shared/connectors/schema.ts'
import { compileSnapshot } from '../../../shared/policy/snapshot.ts'
import { fakeResolver } from '../../support/dns.ts'
import { outbound } from '../../support/fixtures.ts'
import { selfSigned } from '../../support/pki.ts'
import { smtpOptions } from '../../support/smtp-options.ts'
import { type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'

const address = 'anna@ours.example'
const certificate = selfSigned({ names: ['mx.partner.example'] })

const snapshotWith = (connectors: OutboundConnector[]) =>
  compileSnapshot({
    version: 1,
    inbound: [],
    outbound: connectors,
    acceptedDomains: [
      { domain: 'ours.example', recipients: 'SmtpCallout' },
      { domain: 'any.example', recipients: 'Any' },
    ],
  })

/** A connector to the server at a port of this machine. */
const mailboxServer = (port: number, fields: Partial<OutboundConnector> = {}): OutboundConnector =>
  outbound({
    connectorType: 'OnPremises',
    recipientDomains: ['ours.example', 'any.example'],
    route: 'SmartHosts',
    smartHosts: [{ host: 'mx.partner.example', port }],
    tlsSettings: null,
    tlsDomain: null,
    revocationCheck: 'None',
    ...fields,
  })

async function callOut(
  context: TestContext,
  {
    server = {},
    fields,
    to = address,
  }: { server?: PartnerOptions; fields?: Partial<OutboundConnector>; to?: string },
) {
  const partner = await startPartner(server)
  context.after(() => partner.stop())
  const timeouts = { connect: 1000, greeting: 150, command: 150, data: 150 }
  const snapshot = snapshotWith([mailboxServer(partner.port, fields)])
  const callout = await checkRecipient(to, snapshot, smtpOptions({ timeouts }))
  return { ...callout, partner }
}

const atRecipient = (reply: string | null) => ({
  answer: (command: string) => (command.startsWith('RCPT') ? reply : undefined),
})

const rows: { title: string; server?: PartnerOptions; result: string; detail: RegExp }[] = [
  { title: 'that accepts every recipient', result: 'Exists', detail: /^250/ },
  {
    title: 'that does not know the recipient',
    server: atRecipient('550 5.1.1 User unknown'),
    result: 'Unknown',
    detail: /User unknown/,
  },
  {
    title: 'that greylists',
    server: atRecipient('451 4.7.1 Greylisted'),
    result: 'Undetermined',
    detail: /Greylisted/,
  },
  {
    title: 'that refuses the null reverse path',
    server: { answer: (command) => (command.startsWith('MAIL') ? '550 5.1.1 No bounces' : undefined) },
    result: 'Undetermined',
    detail: /^MAIL FROM:<> was refused: 550 5.1.1/,
  },
  {
    title: 'that hangs at MAIL',
    server: { silentAt: 'MAIL' },
    result: 'Undetermined',
    detail: /timed out/,
  },
  {
    title: 'that hangs at its greeting',
    server: { silentAt: 'greeting' },
    result: 'Undetermined',
    detail: /timed out/,
  },
  {
    title: 'that replies garbage',
    server: atRecipient('\u0001\u0002 550 5.1.1'),
    result: 'Undetermined',
    detail: /./,
  },
  {
    title: 'that sends a second reply',
    server: atRecipient('550 5.1.1 unknown\r\n250 2.1.5 OK'),
    result: 'Undetermined',
    detail: /did not speak SMTP/,
  },
  {
    title: 'that closes the connection',
    server: atRecipient(null),
    result: 'Undetermined',
    detail: /Connection closed/,
  },
]
for (const { title, server = {}, result, detail } of rows)
  test(`a callout to a server ${title} gives ${result}`, async (context) => {
    const callout = await callOut(context, { server })
    assert.equal(callout.result, result)
    assert.match(callout.detail, detail)
  })

test('a callout says that the server is unreachable only if no session could be opened', async (context) => {
  const isUnreachable = async (server: PartnerOptions) =>
    (await callOut(context, { server })).isUnreachable ?? false
  assert.equal(await isUnreachable({ silentAt: 'greeting' }), true)
  assert.equal(await isUnreachable({ greeting: '421 4.3.2 No service' }), true)
  assert.equal(await isUnreachable({ silentAt: 'MAIL' }), false)
  assert.equal(await isUnreachable(atRecipient('451 4.7.1 Greylisted')), false)
})

test('a callout waits for a refusal that Exchange delays by five seconds', () =>
  assert.ok(calloutTimeouts.command >= 8_000))

test('a callout sends the null reverse path and the recipient, and no message', async (context) => {
  const { partner } = await callOut(context, { to: 'Anna+tag@ours.example' })
  assert.deepEqual(
    partner.commands.filter((command) => !/^(?:EHLO|QUIT)/.test(command)),
    ['MAIL FROM:<> SIZE=0', 'RCPT TO:<Anna+tag@ours.example>'],
  )
})

test('a callout shows the recipient only over the TLS that the connector requires', async (context) => {
  const { cert, key } = await certificate
  const forced = { tlsSettings: 'EncryptionOnly' } as const
  const encrypted = await callOut(context, { server: { tls: { cert, key } }, fields: forced })
  assert.equal(encrypted.result, 'Exists')
  assert.ok(!encrypted.partner.wire().includes('RCPT'))
  for (const [server, fields] of [
    [{}, forced],
    [{ tls: { cert, key } }, { tlsSettings: 'DomainValidation', tlsDomain: 'mx.partner.example' }],
  ] as const) {
    const { result, partner } = await callOut(context, { server, fields })
    assert.equal(result, 'Undetermined')
    assert.ok(partner.commands.every((command) => !/MAIL|RCPT/.test(command)))
  }
})

test('the next host is queried when the first cannot be', async (context) => {
  const partner = await startPartner(atRecipient('550 5.1.1 User unknown'))
  context.after(() => partner.stop())
  const refusing = await startPartner({ greeting: '554 5.3.2 No service' })
  context.after(() => refusing.stop())
  const smartHosts = [refusing, partner].map(({ port }) => ({ host: 'mx.partner.example', port }))
  const snapshot = snapshotWith([mailboxServer(0, { smartHosts })])
  assert.equal((await checkRecipient(address, snapshot, smtpOptions())).result, 'Unknown')
})

const noCallouts: [title: string, address: string, connectors: OutboundConnector[], detail: RegExp][] = [
  ['of a domain that is not checked', 'anna@any.example', [mailboxServer(1)], /not checked by callouts/],
  ['of a foreign domain', 'anna@elsewhere.example', [mailboxServer(1)], /not checked by callouts/],
  ['with a line end', 'anna\r\nDATA@ours.example', [mailboxServer(1)], /cannot be sent/],
  ['of a domain without a connector', address, [], /no outbound connector/],
  [
    'of a domain that Amazon SES receives',
    address,
    [mailboxServer(1, { route: 'Ses', smartHosts: [] })],
    /sends through Amazon SES/,
  ],
]
for (const [title, to, connectors, detail] of noCallouts)
  test(`a recipient ${title} causes no connection`, async () => {
    const callout = await checkRecipient(to, snapshotWith(connectors), smtpOptions())
    assert.equal(callout.result, 'Undetermined')
    assert.match(callout.detail, detail)
  })

test('a recipient of a domain whose MX record names this gateway causes no connection', async () => {
  const resolver = fakeResolver({
    mx: { 'ours.example': [[10, 'mail.ours.example']] },
    a: { 'mail.ours.example': ['127.0.0.1'] },
  })
  const connector = mailboxServer(1, { route: 'Mx', smartHosts: [] })
  const options = smtpOptions({ resolver, privateNetworks: ['127.0.0.0/8'] })
  const callout = await checkRecipient(address, snapshotWith([connector]), options)
  assert.deepEqual(callout, { result: 'Undetermined', detail: 'the route leads to this gateway' })
})
