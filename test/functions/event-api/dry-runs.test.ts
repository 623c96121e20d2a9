/** `/dry-runs`: from the request over the search to the counted differences. */
import assert from 'node:assert/strict'
import { after, beforeEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { routeText } from '../../../shared/contract/jobs.ts'
import type { DryRun } from '../../../shared/event-queries/dry-run-schemas.ts'
import { inboundInput, outboundInput } from '../../support/connectors.ts'
import { createTestEventApi } from '../../support/event-api.ts'
import { memoryEventStore } from '../../support/event-store.ts'
import { inbound, outbound, snapshot } from '../../support/fixtures.ts'
import { bucket, EventSearches } from '../../support/local/event-searches.ts'

const searches = await EventSearches.start()
after(() => searches.close())
beforeEach(() => searches.emulators.objects.emptyBucket(bucket))

const now = () => Date.parse('2026-11-30T21:30:00Z')
const smartHost = { host: 'mx.next.example', port: 25 }
const toSmartHost = { route: 'SmartHosts' as const, smartHosts: [smartHost] }
const delivered: Partial<MailEvent> = {
  host: smartHost.host,
  route: routeText({ kind: 'SmartHosts', hosts: [smartHost] }),
  requiredLevel: 'Opportunistic',
  mode: 'Enforce',
}
const ids = { bank: '01ARZ3NDEKTSV4RRFFQ69G5FA0', vault: '01ARZ3NDEKTSV4RRFFQ69G5FA1' }
const connectors = snapshot({
  inbound: [
    inbound({
      name: 'Our servers',
      connectorType: 'OnPremises',
      senderDomains: ['ours.example'],
      senderIpAddresses: ['192.0.2.1'],
      requireTls: false,
    }),
    inbound({ id: ids.bank, name: 'From the bank', senderDomains: ['bank.example'], requireTls: false }),
  ],
  outbound: [
    outbound({
      name: 'Our mailboxes',
      recipientDomains: ['ours.example'],
      tlsSettings: null,
      ...toSmartHost,
    }),
    outbound({
      id: ids.vault,
      name: 'To the vault',
      recipientDomains: ['vault.example'],
      tlsSettings: null,
      smtpDaneMode: 'None',
      ...toSmartHost,
    }),
  ],
  acceptedDomains: ['ours.example'],
})

function setUp() {
  const store = memoryEventStore()
  const call = createTestEventApi({ store, now, connectors, searches: { search: searches.search } })
  const run = async (json: object): Promise<DryRun> => {
    const started = await call('POST /dry-runs', { json })
    assert.equal(started.status, 202, JSON.stringify(started.body))
    for (;;) {
      const { status, body } = await call(`GET /dry-runs/${started.body.id}`)
      assert.equal(status, 200)
      if (body.state !== 'Running') return body
      await delay(20)
    }
  }
  return { store, call, run }
}

let number = 0
function message(
  sender: string,
  recipient: string,
  arrival: Partial<MailEvent>,
  delivery: Partial<MailEvent>,
): MailEvent[] {
  const messageId = `01KB${String(number++).padStart(22, '0')}`
  const domain = (address: string) => address.split('@')[1] as string
  const common = {
    messageId,
    sender,
    senderDomain: domain(sender),
    clientIp: '192.0.2.1',
    direction: 'Incoming' as const,
    softwareVersion: '1',
  }
  const ofRecipient = { ...common, recipient, recipientDomain: domain(recipient) }
  const at = '2026-11-30T10:00:00.000Z'
  return [
    { id: `${messageId}a`, at, kind: 'Accepted', recipients: 1, ...common, ...arrival },
    { id: `${messageId}b`, at, kind: 'Decided', decision: 'Deliver', state: 'Pending', ...ofRecipient },
    {
      id: `${messageId}c`,
      at,
      kind: 'Delivered',
      attempt: 1,
      state: 'Delivered',
      ...ofRecipient,
      ...delivery,
    },
  ]
}

const toMailboxes: Partial<MailEvent> = { ...delivered, tlsVersion: 'TLSv1.3' }
const fromBank = (arrival: Partial<MailEvent>) =>
  message('teller@bank.example', 'ann@ours.example', arrival, toMailboxes)

test('a connector that would require TLS refuses the mail that came in the clear, and nothing else', async () => {
  searches.store('2026-11-30T10', [
    ...fromBank({}),
    ...fromBank({}),
    ...fromBank({ tlsVersion: 'TLSv1.3' }),
    ...message('a@shop.example', 'ann@ours.example', {}, toMailboxes),
  ])
  const { run } = setUp()
  const result = await run({
    inboundConnectors: [
      inboundInput({
        name: 'from THE bank',
        senderDomains: ['bank.example'],
        requireTls: true,
        mode: 'Enforce',
      }),
    ],
  })
  assert.deepEqual(
    [result.state, result.considered, result.same, result.notConsidered],
    ['Succeeded', 3, 1, 0],
  )
  assert.deepEqual(result.undetermined, [])
  const [difference, ...others] = result.different
  assert.deepEqual(others, [])
  assert.equal(difference?.count, 2)
  assert.equal(difference?.samples.length, 2)
  assert.deepEqual(
    [difference?.after.outcome, difference?.after.reason, difference?.after.connector],
    ['Refused', 'InboundTlsRequired', 'from THE bank'],
  )
})

test('a connector that would require a valid certificate holds the mail to a server that had none', async () => {
  const toVault = (delivery: Partial<MailEvent>) =>
    message(
      'ann@ours.example',
      'keeper@vault.example',
      { direction: 'Originating' },
      { ...delivered, ...delivery },
    )
  searches.store('2026-11-30T10', [
    ...toVault({ tlsResult: 'starttls-not-supported' }),
    ...toVault({ tlsVersion: 'TLSv1.2', serverCertificateVerdict: 'self-signed' }),
    ...toVault({ tlsVersion: 'TLSv1.3', serverCertificateVerdict: 'trusted' }),
  ])
  const { run } = setUp()
  const result = await run({
    outboundConnectors: [
      outboundInput({
        name: 'To the vault',
        recipientDomains: ['vault.example'],
        tlsSettings: 'CertificateValidation',
        smtpDaneMode: 'None',
        mode: 'Enforce',
        ...toSmartHost,
      }),
    ],
  })
  assert.deepEqual(
    result.different.map(({ count, before, after: { outcome, connector, tlsResult } }) => [
      count,
      before.outcome,
      outcome,
      connector,
      tlsResult,
    ]),
    [
      [1, 'Delivered', 'Deferred', 'To the vault', 'starttls-not-supported'],
      [1, 'Delivered', 'Deferred', 'To the vault', 'certificate-not-trusted'],
      // Delivered too, but at another level.
      [1, 'Delivered', 'Delivered', 'To the vault', null],
    ],
  )
  assert.deepEqual([result.considered, result.same, result.undetermined], [3, 0, []])
})

test('a result is kept, and read again without another search', async () => {
  searches.store('2026-11-30T10', fromBank({}))
  const { run, call, store } = setUp()
  const result = await run({ deleted: [ids.bank] })
  searches.emulators.objects.emptyBucket(bucket)
  assert.deepEqual((await call(`GET /dry-runs/${result.id}`)).body, result)
  const [request, kept] = store.puts
  assert.deepEqual(
    [request, kept],
    [`searches/dry-run-${result.id}.json`, `searches/dry-run-${result.id}-result.json`],
  )
})

test('a connector that would require DMARC concerns mail that may show its domain in From:', async () => {
  searches.store('2026-11-30T10', [
    ...message(
      'a@list.example',
      'ann@ours.example',
      { clientIp: '198.51.100.1', dmarc: 'fail' },
      toMailboxes,
    ),
    ...message('b@list.example', 'ann@ours.example', { clientIp: '198.51.100.1' }, toMailboxes),
    ...message(
      'c@list.example',
      'ann@ours.example',
      { clientIp: '198.51.100.1', dmarc: 'fail', fromDomain: 'list.example' },
      toMailboxes,
    ),
  ])
  const { run } = setUp()
  const result = await run({
    inboundConnectors: [
      inboundInput({
        name: 'From the bank',
        senderDomains: ['bank.example'],
        requireTls: false,
        requireDmarc: true,
      }),
    ],
  })
  assert.deepEqual(
    [result.considered, result.different.map(({ after }) => after.reason), result.undetermined.length],
    [2, ['InboundDmarcRequired'], 1],
  )
})

test('refusals of a changed connector that were counted together cannot be told', async () => {
  const refusal = { kind: 'Rejected', stage: 'Rcpt', reason: 'InboundTlsRequired', softwareVersion: '1' }
  searches.store('2026-11-30T10', [
    {
      id: '01KB0000000000000000000000',
      at: '2026-11-30T10:00:00.000Z',
      ...refusal,
      clientIp: '198.51.100.1',
      count: 40,
      inboundConnector: ids.bank,
    },
  ])
  const { run } = setUp()
  const result = await run({ deleted: [ids.bank] })
  assert.deepEqual([result.considered, result.undetermined.map(({ count }) => count)], [40, [40]])
})

test('a dry run whose search result was deleted before it was read gets 404', async () => {
  const { call, store } = setUp()
  const { body } = await call('POST /dry-runs', { json: { deleted: [ids.bank] } })
  const { searchId } = JSON.parse((await store.get(`searches/dry-run-${body.id}.json`)).toString())
  await searches.end(searchId)
  searches.emulators.objects.emptyBucket(bucket)
  const { status, body: problem } = await call(`GET /dry-runs/${body.id}`)
  assert.equal(status, 404)
  assert.match(problem.detail, /kept for seven days/)
})

test('an unchanged connector changes nothing', async () => {
  searches.store('2026-11-30T10', [...fromBank({}), ...fromBank({ tlsVersion: 'TLSv1.2' })])
  const { run } = setUp()
  const result = await run({
    inboundConnectors: [
      inboundInput({ name: 'From the bank', senderDomains: ['bank.example'], requireTls: false }),
    ],
  })
  assert.deepEqual([result.considered, result.same, result.different], [2, 2, []])
})

test('a deployment without events has a result', async () => {
  const { run } = setUp()
  const result = await run({ deleted: [ids.bank] })
  assert.deepEqual([result.state, result.considered, result.notConsidered], ['Succeeded', 0, 0])
})

describe('a wrong request', () => {
  const cases: [name: string, json: object, path: string][] = [
    [
      'a connector with a fault',
      { inboundConnectors: [{ name: 'x' }] },
      'inboundConnectors[0].connectorType',
    ],
    ['an unknown id', { deleted: ['01ARZ3NDEKTSV4RRFFQ69G5FA9'] }, 'deleted'],
    ['an unknown field', { connectors: [] }, 'connectors'],
    ['a period before the retention', { from: '2026-01-01T00:00:00Z' }, 'from'],
  ]
  for (const [name, json, path] of cases)
    test(`with ${name} gets 422`, async () => {
      const { status, body } = await setUp().call('POST /dry-runs', { json })
      assert.deepEqual([status, body.errors[0]?.path], [422, path])
    })
  test('for an unknown dry run gets 404', async () => {
    for (const id of ['01ARZ3NDEKTSV4RRFFQ69G5FA9', 'hello'])
      assert.equal((await setUp().call(`GET /dry-runs/${id}`)).status, 404)
  })
})
