/** swaks as a partner's client. It sends to the real ingress, and its transcript shows the replies. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import { Api, messageIdIn, type RunnerProcess, startRunner } from '../support/local/runner.ts'
import { missing, swaks } from '../support/peers/peers.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

const skip = missing('swaks', 'apt-get install swaks libnet-ssleay-perl')

let runner: RunnerProcess
let api: Api
let mailbox: Partner

before(
  async () => {
    if (skip) return
    mailbox = await startPartner()
    runner = await startRunner({
      names: { 'mailbox.ours.example': { A: ['127.0.0.41'] } },
      ports: { '127.0.0.41': `127.0.0.1:${mailbox.port}` },
    })
    api = new Api(runner.endpoints)
    await setUp()
  },
  { timeout: 120_000 },
)

after(async () => {
  await runner?.stop()
  await mailbox?.stop()
})

async function setUp(): Promise<void> {
  await setUpMailboxServer(api, { host: 'mailbox.ours.example', port: 25 })
  await api.create('inbound', {
    name: 'Bank',
    connectorType: 'Partner',
    senderDomains: ['bank.example'],
    requireTls: true,
  })
}

interface Sending {
  from: string
  to: string
  tls: boolean
}

const send = ({ from, to, tls }: Sending): Promise<string> => {
  const args = ['--from', from, '--to', to, '--body', 'Hello']
  return swaks(runner.endpoints.smtp, ...args, ...(tls ? ['--tls'] : []))
}

/** The server's last reply; swaks marks its lines with `<` and failures with `**`. */
const refusal = (transcript: string): string =>
  /^<[~*-]* +([45]\d\d .*)$/m.exec(transcript)?.[1] ?? transcript
const acceptance = (transcript: string): string =>
  /^<[~-]+ +(250 .*\b[0-9A-Z]{26}\b.*)$/m.exec(transcript)?.[1] ?? transcript

describe('swaks', { skip, timeout: 120_000 }, () => {
  const refusedRows: [string, Sending, string][] = [
    [
      'a partner that must use TLS, in the clear',
      { from: 'a@bank.example', to: 'b@ours.example', tls: false },
      '530 5.7.0 Must issue a STARTTLS command first',
    ],
    [
      'a client that may not relay, in the clear',
      { from: 'a@elsewhere.example', to: 'b@foreign.example', tls: false },
      '550 5.7.64 Relay access denied',
    ],
    [
      'a client that may not relay, over TLS',
      { from: 'a@elsewhere.example', to: 'b@foreign.example', tls: true },
      '550 5.7.64 Relay access denied',
    ],
  ]
  for (const [client, sending, expected] of refusedRows) {
    it(`as ${client}, gets ${expected}`, async () => assert.equal(refusal(await send(sending)), expected))
  }

  const acceptedRows: [string, Sending, boolean][] = [
    [
      'a partner that must use TLS, over TLS',
      { from: 'a@bank.example', to: 'b@ours.example', tls: true },
      true,
    ],
    [
      'a client of a domain without a connector, over TLS',
      { from: 'a@elsewhere.example', to: 'b@ours.example', tls: true },
      true,
    ],
    [
      'a client of a domain without a connector, in the clear',
      { from: 'a@elsewhere.example', to: 'b@ours.example', tls: false },
      false,
    ],
  ]
  for (const [client, sending, negotiated] of acceptedRows) {
    it(`as ${client}, gets 250, and the message is delivered`, async () => {
      const transcript = await send(sending)
      const trace = await api.settled(messageIdIn(acceptance(transcript)))
      assert.deepEqual([trace.tls.negotiated, trace.recipients[0]?.state], [negotiated, 'Delivered'])
      if (negotiated) assert.match(transcript, /TLS started with cipher TLSv1\.3:TLS_AES_256_GCM_SHA384/)
      assert.ok(mailbox.received.some(({ content }) => content.includes(`id ${trace.id}`)))
    })
  }

  it('cannot negotiate TLS 1.1 with the ingress', async () => {
    const args = ['--from', 'a@bank.example', '--to', 'b@ours.example', '--tls', '--tls-protocol', 'tlsv1_1']
    const transcript = await swaks(runner.endpoints.smtp, ...args)
    assert.match(transcript, /TLS startup failed/)
    assert.doesNotMatch(transcript, /RCPT TO/)
  })
})
