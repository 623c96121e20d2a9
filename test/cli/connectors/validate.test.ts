/** Tests `connectors validate` for outbound and inbound connectors. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { encodeTime } from 'ulid'
import type { OutboundValidation } from '../../../shared/connectors/validation.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import { type HttpApi, mailflow, startAnsweringServer, startApi } from '../../support/cli/mailflow.ts'
import { circumstances, message, outbound, overTls, recipient } from '../../support/fixtures.ts'

const now = Date.parse('2026-02-03T12:00:00.000Z')
let api: HttpApi

before(async () => {
  api = await startApi(() => now)
  await api.call('POST /inbound-connectors', {
    json: { name: 'From the bank', connectorType: 'Partner', senderDomains: ['bank.example'] },
  })
})
after(() => api.stop())

let messageCount = 0

async function recordReceivedMail(tls = overTls): Promise<void> {
  const id = `${encodeTime(now - 3_600_000, 10)}${String(messageCount++).padStart(16, '0')}`
  const receivedAt = new Date(now - 3_600_000).toISOString()
  const mail = message({ id, receivedAt, mailFrom: 'teller@bank.example', tls })
  const trace = new Trace(api.database.documents, api.database.messagesTable)
  await trace.recordMessage(mail, circumstances.at, 90)
  await trace.recordVerdict(
    mail,
    {
      action: 'Bounce',
      recipient: recipient(),
      reason: 'NotRoutable',
      explanation: 'x',
      connectors: { inbound: null, outbound: null },
      decidedBy: null,
      lowered: [],
      newRequirement: null,
      reportOnly: null,
      reply: { code: 550, enhanced: '5.1.2', text: 'x' },
    },
    circumstances,
    4_000_000_000,
  )
}

test('`connectors validate` exits with 0 when all mail of an inbound connector would pass', async () => {
  await recordReceivedMail()
  const { status, out } = await api.mailflow('connectors', 'validate', 'from the BANK')
  assert.equal(status, 0)
  assert.match(out, /^inbound connector "From the bank"\n {2}Of 1 message in 7 days, 1 would pass\./)
})

test('`connectors validate` counts the mail that an inbound connector would refuse, and names an example', async () => {
  await recordReceivedMail({ ...overTls, negotiated: false, protocol: null })
  const { status, out } = await api.mailflow('connectors', 'validate', 'From the bank', '--days', '3')
  assert.equal(status, 1)
  assert.match(out, /Of 2 messages in 3 days, 1 would pass; 1 came without TLS/)
  assert.match(
    out,
    /\n {2}1 × InboundTlsRequired, for example [0-9A-Z]{26}\n {4}Connector "From the bank" requires TLS/,
  )
})

const validation: OutboundValidation = {
  at: '2026-02-03T12:00:00.000Z',
  succeeded: false,
  connectorVersion: 1,
  durationMs: 42,
  steps: [
    {
      step: 'Connect',
      host: 'mx.northwind.example',
      ip: '198.51.100.1',
      succeeded: true,
      detail: 'Connected',
      durationMs: 3,
      tls: null,
      certificates: [],
    },
    {
      step: 'Certificate',
      host: 'mx.northwind.example',
      ip: '198.51.100.1',
      succeeded: false,
      detail: '451 4.7.325 Certificate is for x\u001b[2J, not for y',
      durationMs: 0,
      tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', group: null },
      certificates: [
        {
          subject: 'CN=x',
          issuer: 'CN=CA',
          subjectAltNames: [],
          serial: '01',
          fingerprint256: 'ab'.repeat(32),
          notBefore: '2026-01-01T00:00:00.000Z',
          notAfter: '2026-12-01T00:00:00.000Z',
        },
      ],
    },
  ],
}

test('`connectors validate` prints every step of an outbound connector that fails, and exits with 1', async () => {
  const requests: string[] = []
  const server = await startAnsweringServer(({ method, url }) => {
    requests.push(`${method} ${url?.split('?')[0]}`)
    if (method === 'POST') return { body: JSON.stringify(validation) }
    const items = url?.startsWith('/outbound') ? [outbound()] : []
    return { body: JSON.stringify({ items, nextCursor: null }) }
  })
  const { status, out } = await mailflow(['connectors', 'validate', 'Northwind', '--api', server.url])
  server.stop()
  assert.equal(requests.at(-1), 'POST /outbound-connectors/id-northwind/validate')
  assert.equal(status, 1)
  assert.equal(
    out,
    `outbound connector "Northwind": NOT validated, 42 ms
  ok     Connect mx.northwind.example (198.51.100.1), 3 ms
         Connected
  FAILED Certificate mx.northwind.example (198.51.100.1), 0 ms
         451 4.7.325 Certificate is for x?[2J, not for y
         CN=x, issued by CN=CA, valid until 2026-12-01T00:00:00.000Z
         SHA-256 ${'ab'.repeat(32)}
`,
  )
})

test('`connectors validate` rejects --days above 30', async () => {
  const { status, err } = await api.mailflow('connectors', 'validate', 'From the bank', '--days', '31')
  assert.equal(status, 2)
  assert.match(err, /--days 31: not a number from 1 to 30/)
})

test('`connectors validate` advises --to when the API requires a recipient for the test message', async () => {
  const problem = {
    title: 'Unprocessable Entity',
    detail: 'The body is not valid.',
    errors: [{ path: 'recipients', message: 'is required' }],
  }
  const server = await startAnsweringServer(({ method, url }) => {
    if (method === 'POST') return { status: 422, body: JSON.stringify(problem) }
    const items = url?.startsWith('/outbound') ? [outbound()] : []
    return { body: JSON.stringify({ items, nextCursor: null }) }
  })
  const { status, err } = await mailflow(['connectors', 'validate', 'Northwind', '--api', server.url])
  server.stop()
  assert.equal(status, 1)
  assert.match(
    err,
    /\n {2}recipients: is required\n {2}Give the recipient of the test message: --to ADDRESS\.\n$/,
  )
})
