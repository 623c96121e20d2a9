/**
 * Tests end to end that mail which waits under forced TLS does not leave in the clear: not when its connector is deleted,
 * and not when an administrator releases it from an inbound connector.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Api, messageIdIn, type RunnerProcess, sendMessage, waitForResult } from '../support/local/runner.ts'
import { shareRunner } from '../support/local/shared-runner.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

/** Offers no STARTTLS, and accepts mail in the clear. */
let partner: Partner
const shared = shareRunner()
let runner: RunnerProcess
let api: Api

before(
  async () => {
    partner = await startPartner()
    runner = await shared.enter()
    api = new Api(runner.endpoints)
  },
  { timeout: 120_000 },
)

after(async () => {
  await partner?.stop()
  await shared.leave()
})

const secret = 'The contract is signed'

test('mail that waits under forced TLS is not transmitted in the clear after its connector is deleted; it can only be returned', async () => {
  const viaPartner = { route: 'SmartHosts', smartHosts: [{ host: '127.0.0.1', port: partner.port }] }
  await api.create('inbound', {
    name: 'our server',
    connectorType: 'OnPremises',
    senderDomains: ['ours.example'],
    senderIpAddresses: ['127.0.0.1'],
    requireTls: false,
  })
  await api.create('outbound', {
    name: 'anywhere',
    connectorType: 'Partner',
    recipientDomains: ['*'],
    ...viaPartner,
  })
  const forced = await api.create('outbound', {
    name: 'to the partner',
    connectorType: 'Partner',
    recipientDomains: ['partner.example'],
    tlsSettings: 'EncryptionOnly',
    ...viaPartner,
  })
  const content = `From: <ann@ours.example>\r\nSubject: contract\r\n\r\n${secret}\r\n`
  const reply = await waitForResult(() =>
    sendMessage(runner.endpoints, 'ann@ours.example', 'bob@partner.example', content).catch(() => null),
  )
  const id = messageIdIn(reply)
  await deferredAfter(id, 1)

  const path = `/outbound-connectors/${forced}`
  await assert.rejects(api.remove(path), /409 .*1 message waits under the requirement/)
  await api.remove(path, '?waiting=hold')
  await api.call('POST', `/messages/${id}/retry`)
  const second = await deferredAfter(id, 2)
  assert.match(second.attempts[1]?.reply ?? '', /^451 4\.7\.321 /)
  assert.equal(second.verdict.connectors.outbound, forced)
  assert.equal(partner.connections(), 2)
  assert.ok(!partner.commands.some((command) => command.startsWith('MAIL')))
  assert.ok(!partner.wire().includes(secret))

  await assert.rejects(
    api.call('POST', `/messages/${id}/release`, { reason: 'it is urgent' }),
    /409 .*No inbound connector holds it/,
  )
  assert.deepEqual(await api.call('POST', `${path}/return`), { requested: 1, messages: 1, nextCursor: null })
  const { recipients } = await api.settled(id, ['Bounced'])
  assert.equal(recipients[0]?.verdict.reason, 'ReturnedByAdministrator')
  assert.ok(!partner.wire().includes(secret))
})

interface QueueList {
  items: {
    reason: string
    connector: string | null
    messages: number
    recipients: number
    samples: string[]
  }[]
}

test('mail that an inbound connector holds is tried after its release, and waits when the TLS of the next hop is not met', async () => {
  await api.call('PUT', '/accepted-domains/held.example', {})
  const holding = await api.create('inbound', {
    name: 'from contoso',
    connectorType: 'Partner',
    senderDomains: ['contoso.example'],
    onViolation: 'Defer',
  })
  const forced = await api.create('outbound', {
    name: 'to held.example',
    connectorType: 'Partner',
    recipientDomains: ['held.example'],
    tlsSettings: 'DomainValidation',
    tlsDomain: 'mx.held.example',
    route: 'SmartHosts',
    smartHosts: [{ host: '127.0.0.1', port: partner.port }],
  })
  const content = `From: <a@contoso.example>\r\nSubject: offer\r\n\r\n${heldSecret}\r\n`
  const send = () => sendMessage(runner.endpoints, 'a@contoso.example', 'b@held.example', content)
  const id = messageIdIn(await waitForResult(() => send().catch(() => null)))
  await deferredAfter(id, 0)
  const [before, connections] = [partner.commands.length, partner.connections()]
  const queue = await waitForResult(async () => {
    const { items } = await api.call<QueueList>('GET', '/queues?partner=contoso.example')
    return items[0] ?? null
  })
  assert.deepEqual(
    [queue.reason, queue.connector, queue.messages, queue.recipients, queue.samples],
    ['InboundTlsRequired', holding, 1, 1, [id]],
  )

  const reason = 'contoso called'
  const filter = { partner: 'contoso.example', reason: 'InboundTlsRequired' }
  assert.deepEqual(await api.call('POST', '/queues/release', { filter, reason }), {
    ...{ requested: 1, messages: 1, nextCursor: null },
    skipped: [],
  })
  const tried = await deferredAfter(id, 1)
  assert.deepEqual(
    [tried.verdict.reason, tried.verdict.connectors],
    ['OutboundTlsNotMet', { inbound: holding, outbound: forced }],
  )
  assert.match(tried.attempts[0]?.reply ?? '', /^451 4\.7\.321 /)
  assert.equal(partner.connections(), connections + 1)
  assert.ok(!partner.commands.slice(before).some((command) => command.startsWith('MAIL')))
  assert.ok(!partner.wire().includes(heldSecret))
  assert.equal(tried.released?.reason, reason)
  const [waived] = tried.verdict.considered
  assert.deepEqual([waived?.outcome, waived?.why.includes(reason)], ['Waived', true])

  await assert.rejects(
    api.call('POST', '/queues/release', { ids: [id], reason }),
    /409 .*No inbound connector/,
  )
  await api.call('POST', '/queues/drop', { ids: [id], reason: 'contoso withdrew it' })
  const dropped = (await api.settled(id, ['Bounced'])).recipients[0]
  assert.deepEqual([dropped?.verdict.reason, dropped?.notifications], ['DroppedByAdministrator', []])
})

const heldSecret = 'The offer is valid until Friday'

async function deferredAfter(id: string, attempts: number) {
  return waitForResult(async () => {
    const [recipient] = (await api.settled(id, ['Deferred'])).recipients
    return recipient?.attempts.length === attempts ? recipient : null
  })
}
