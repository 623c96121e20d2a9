/** Tests `domains conformance` against a server that answers like the API. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DomainConformance } from '../../shared/conformance/domain-conformance.ts'
import { mailflow, startAnsweringServer } from '../support/cli/mailflow.ts'

const at = '2026-02-03T12:00:00.000Z'

const conformance: DomainConformance = {
  domain: 'ours.example',
  checkedAt: at,
  softwareVersion: '0.2.0',
  detail: null,
  hosts: [
    {
      host: 'mail.example.com',
      isGateway: true,
      port: 2525,
      state: 'Partly',
      detail: 'The time was over: mail.example.com answers slowly',
      measuredAt: at,
    },
  ],
  criteria: [
    {
      id: 'tls13',
      subject: 'Host',
      host: 'mail.example.com',
      requirement: 'TLS 1.3 is offered',
      references: [{ standard: 'SP 800-52r2', clause: '§3.1', level: 'must' }],
      verdict: 'PASS',
      seen: 'TLSv1.3',
      advice: null,
      source: 'Handshakes',
    },
    {
      id: 'spf',
      subject: 'Domain',
      host: null,
      requirement: 'An SPF record that ends with ~all or -all',
      references: [{ standard: 'internet.nl 1.11', clause: 'SPF', level: 'must' }],
      verdict: 'FAIL',
      seen: 'v=spf1 \u001b[2J ?all',
      advice: 'Publish one SPF record',
      source: 'Dns',
    },
  ],
}

async function run(answer: object, ...args: string[]) {
  const requests: string[] = []
  const server = await startAnsweringServer(({ method, url }) => {
    requests.push(`${method} ${url}`)
    return { body: JSON.stringify(answer) }
  })
  const result = await mailflow(['domains', 'conformance', 'ours.example', ...args, '--api', server.url])
  server.stop()
  return { ...result, requests }
}

test('`domains conformance` prints the hosts and each criterion by its subject, and exits with 1', async () => {
  const { status, out, requests } = await run({ ...conformance, later: true })
  assert.deepEqual(requests, ['GET /accepted-domains/ours.example/conformance'])
  assert.equal(status, 1)
  assert.equal(
    out,
    `ours.example, 2026-02-03 12:00:00Z, mailflow 0.2.0
MX host mail.example.com, port 2525: Partly 2026-02-03 12:00:00Z. The time was over: mail.example.com answers slowly

TLS of mail.example.com:
PASS            tls13  TLSv1.3 [SP 800-52r2 §3.1: must]

DNS:
FAIL            spf  v=spf1 ?[2J ?all [internet.nl 1.11 SPF: must] → Publish one SPF record

1 PASS, 0 WARN, 1 FAIL, 0 CUSTOMER, 0 NOT APPLICABLE, 0 NOT MEASURED
`,
  )
})

test('`domains conformance` exits with 0 when nothing fails, and says why there is no MX host', async () => {
  const { status, out } = await run({
    ...conformance,
    hosts: [],
    detail: 'ours.example has no MX record',
    criteria: conformance.criteria.slice(0, 1),
  })
  assert.equal(status, 0)
  assert.match(out, /\nNo MX host: ours\.example has no MX record\n/)
})

test('`domains conformance --json` prints the answer of the API', async () => {
  const { out } = await run(conformance, '--json')
  assert.deepEqual(JSON.parse(out), conformance)
})
