/** Tests end to end that mail which waits under forced TLS does not leave in the clear when its connector is deleted. */
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

test('mail that waits under forced TLS is not transmitted in the clear after its connector is deleted, until it is released', async () => {
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

  assert.deepEqual(await api.call('POST', `${path}/release`), {
    requested: 1,
    messages: 1,
    nextCursor: null,
  })
  const { recipients } = await api.settled(id, ['Delivered'])
  assert.equal(recipients[0]?.attempts.length, 3)
  assert.deepEqual(
    partner.received.map(({ recipients: to, tls }) => [to, tls]),
    [[['RCPT TO:<bob@partner.example>'], null]],
  )
})

async function deferredAfter(id: string, attempts: number) {
  return waitForResult(async () => {
    const [recipient] = (await api.settled(id, ['Deferred'])).recipients
    return recipient?.attempts.length === attempts ? recipient : null
  })
}
