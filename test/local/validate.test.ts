/** Tests validation of outbound connectors, and checks of DNS records, through the synthesised stack. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { OutboundValidation } from '../../shared/connectors/validation.ts'
import { DomainDns } from '../../shared/domain-records/domain-dns.ts'
import { Api, type RunnerProcess, startRunner } from '../support/local/runner.ts'
import { createPki, daysFromNow, type Pki } from '../support/pki.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

const partners: Record<'first' | 'second' | 'expired' | 'plain', Partner> = {} as never
let pki: Pki
let runner: RunnerProcess
let api: Api

before(
  async () => {
    pki = await createPki()
    partners.first = await startPartner({ tls: await pki.issue({ names: ['mx1.partner.example'] }) })
    partners.second = await startPartner({ tls: await pki.issue({ names: ['mx2.partner.example'] }) })
    partners.expired = await startPartner({
      tls: await pki.issue({
        names: ['mx.expired.example'],
        notBefore: daysFromNow(-9),
        notAfter: daysFromNow(-1),
      }),
    })
    partners.plain = await startPartner()
    runner = await startRunner(zone())
    api = new Api(runner.endpoints)
    await api.call('PUT', '/accepted-domains/ours.example', {})
  },
  { timeout: 120_000 },
)

after(async () => {
  assert.equal(await runner?.stop(), 0, 'SIGTERM is a clean stop')
  await Promise.all(Object.values(partners).map((partner) => partner.stop()))
})

function zone() {
  const at = (partner: Partner) => `127.0.0.1:${partner.port}`
  return {
    names: {
      'partner.example': {
        MX: [
          [10, 'mx1.partner.example'],
          [20, 'mx2.partner.example'],
        ],
      },
      'mx1.partner.example': { A: ['127.0.0.21'] },
      'mx2.partner.example': { A: ['127.0.0.22'] },
      'expired.example': {
        MX: [
          [10, 'mx.expired.example'],
          [20, 'mx.plain.example'],
        ],
      },
      'mx.expired.example': { A: ['127.0.0.23'] },
      'mx.plain.example': { A: ['127.0.0.24'] },
      'nomail.example': { MX: [[0, '']] },
      'ours.example': { MX: [[10, 'mx.former.example']], TXT: ['v=spf1 include:amazonses.com -all'] },
      'amazonses.com': { TXT: ['v=spf1 ip4:199.255.192.0/22 -all'] },
      '_smtp._tls.ours.example': { TXT: ['v=TLSRPTv1; rua=mailto:tls@ours.example'] },
      '_dmarc.ours.example': { fail: 'SERVFAIL' },
    },
    ports: {
      '127.0.0.21': at(partners.first),
      '127.0.0.22': at(partners.second),
      '127.0.0.23': at(partners.expired),
      '127.0.0.24': at(partners.plain),
    },
  }
}

const connectorFor = (domain: string) => ({
  name: `to ${domain}`,
  connectorType: 'Partner',
  recipientDomains: [domain],
  tlsSettings: 'DomainValidation',
  tlsDomain: `*.${domain}`,
  certificateAuthorities: [pki.ca],
})

const outline = ({ steps }: OutboundValidation) =>
  steps.map(({ step, host, succeeded }) => `${succeeded ? '' : '!'}${step} ${host}`)

const validate = (id: string, body?: object) =>
  api.call<OutboundValidation>('POST', `/outbound-connectors/${id}/validate`, body)

test('validation with route Mx checks every MX host, and sends one test message to the first', async () => {
  const id = await api.create('outbound', connectorFor('partner.example'))
  const validation = await validate(id)
  assert.deepEqual(outline(validation), [
    'Resolve partner.example',
    ...['mx1.partner.example', 'mx2.partner.example'].flatMap((host) =>
      ['Connect', 'Ehlo', 'StartTls', 'Certificate'].map((step) => `${step} ${host}`),
    ),
    'TestMail mx1.partner.example',
  ])
  assert.equal(validation.succeeded, true)
  assert.deepEqual([partners.first.received.length, partners.second.received.length], [1, 0])
  const [received] = partners.first.received
  assert.deepEqual(received?.recipients, ['RCPT TO:<postmaster@partner.example>'])
  assert.match(received?.mail ?? '', /^MAIL FROM:<mailflow-validation@ours\.example>/)
  assert.match(
    received?.content.toString() ?? '',
    /^Subject: Test of the outbound connector to partner\.example\r$/m,
  )
})

test('the result of a failed validation is stored with the connector until the connector is replaced', async () => {
  const input = connectorFor('expired.example')
  const id = await api.create('outbound', input)
  const validation = await validate(id, { recipients: ['ann@expired.example'] })
  assert.deepEqual(outline(validation), [
    'Resolve expired.example',
    ...['Connect', 'Ehlo', 'StartTls', '!Certificate'].map((step) => `${step} mx.expired.example`),
    ...['Connect', 'Ehlo', '!StartTls'].map((step) => `${step} mx.plain.example`),
    '!TestMail null',
  ])
  assert.equal(validation.succeeded, false)
  assert.deepEqual([partners.expired.received.length, partners.plain.received.length], [0, 0])

  const read = await fetch(`${runner.endpoints.api}/outbound-connectors/${id}`)
  assert.equal(read.headers.get('etag'), '"1"', 'a validation is no new version')
  assert.deepEqual(((await read.json()) as { validation: unknown }).validation, validation)

  const written = await fetch(`${runner.endpoints.api}/outbound-connectors/${id}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', 'if-match': '"1"' },
    body: JSON.stringify({ ...input, comment: 'asked them to renew' }),
  })
  assert.equal(((await written.json()) as { validation: unknown }).validation, null)
})

test('validation for a domain with a null MX fails in the step Resolve', async () => {
  const id = await api.create('outbound', connectorFor('nomail.example'))
  const validation = await validate(id)
  assert.deepEqual(outline(validation), ['!Resolve nomail.example', '!TestMail null'])
  assert.match(validation.steps[0]?.detail ?? '', /^556 5\.1\.10 .*null MX/)
})

test('validation with route Ses sends one test message to SES', async () => {
  const id = await api.create('outbound', {
    name: 'through SES',
    connectorType: 'Partner',
    recipientDomains: ['far.example'],
    route: 'Ses',
    tlsSettings: 'EncryptionOnly',
  })
  const validation = await validate(id)
  assert.deepEqual(outline(validation), ['Resolve Amazon SES', 'TestMail Amazon SES'])
  assert.equal(validation.succeeded, true)
  const store = await (await fetch(`${runner.endpoints.ses}/store`)).json()
  const emails = (store as { emails: { from: string; subject: string }[] }).emails
  assert.deepEqual(
    emails.map(({ from, subject }) => [/<(.*)>/.exec(from)?.[1], subject]),
    [['mailflow-validation@ours.example', 'Test of the outbound connector through SES']],
  )
})

test('validation of an unknown connector gets 404 with a problem', async () => {
  const response = await fetch(
    `${runner.endpoints.api}/outbound-connectors/01ARZ3NDEKTSV4RRFFQ69G5FAV/validate`,
    { method: 'POST' },
  )
  assert.equal(response.status, 404)
  assert.equal(response.headers.get('content-type'), 'application/problem+json')
})

test("the DNS records of an accepted domain are checked with the runner's name server", async () => {
  const { checks, hosts } = DomainDns.parse(await api.call('GET', '/accepted-domains/ours.example/dns'))
  const found = (name: string) => checks.find(({ check }) => check === name)
  const { status, found: published, publish } = found('MX') ?? {}
  assert.deepEqual(
    [status, published, publish],
    ['DIFFERENT', ['10 mx.former.example.'], [`ours.example. IN MX 10 ${hosts[0]}.`]],
  )
  assert.deepEqual(
    ['SPF', 'TLS-RPT', 'DMARC'].map((name) => found(name)?.status),
    ['OK', 'OK', 'UNKNOWN'],
  )
  assert.equal((await fetch(`${runner.endpoints.api}/accepted-domains/other.example/dns`)).status, 404)
})
