/**
 * Postfix as a partner's server. Mail goes through the whole pipeline to it. The log and mailbox of Postfix show
 * whether and how the mail arrived.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { Api, messageIdIn, type RunnerProcess, SmtpClient, startRunner } from '../support/local/runner.ts'
import { missing, Postfix } from '../support/peers/peers.ts'
import { createPki, daysFromNow } from '../support/pki.ts'

const skip = missing('postfix', 'apt-get install postfix', true)

const names = ['good', 'plain', 'expired', 'misnamed', 'easy'] as const
type Name = (typeof names)[number]
const partners: Partial<Record<Name, Postfix>> = {}
let runner: RunnerProcess
let api: Api
const connectors = new Map<Name, string>()
let relayCertificate: { cert: string; key: string }

const partner = (name: Name): Postfix => {
  const postfix = partners[name]
  assert.ok(postfix)
  return postfix
}

before(
  async () => {
    if (skip) return
    const pki = await createPki()
    relayCertificate = await pki.issue({ names: ['mailbox.ours.example'] })
    const certificates = {
      good: await pki.issue({ names: ['mx.good.example'] }),
      plain: undefined,
      expired: await pki.issue({
        names: ['mx.expired.example'],
        notBefore: daysFromNow(-9),
        notAfter: daysFromNow(-1),
      }),
      misnamed: await pki.issue({ names: ['mx.elsewhere.example'] }),
      easy: undefined,
    }
    for (const name of names) {
      const tls = certificates[name]
      partners[name] = await Postfix.start({ domain: `${name}.example`, ...(tls && { tls }) })
    }
    runner = await startRunner(zone())
    api = new Api(runner.endpoints)
    await setUp(pki.ca)
  },
  { timeout: 120_000 },
)

after(async () => {
  await runner?.stop()
  for (const postfix of Object.values(partners)) await postfix.stop()
})

function zone() {
  const address = (name: Name) => `127.0.0.${21 + names.indexOf(name)}`
  return {
    names: Object.fromEntries(
      names.flatMap((name) => [
        [`${name}.example`, { MX: [[10, `mx.${name}.example`]] }],
        [`mx.${name}.example`, { A: [address(name)] }],
      ]),
    ),
    ports: Object.fromEntries(names.map((name) => [address(name), `127.0.0.1:${partner(name).port}`])),
  }
}

/** The organisation's server may relay because of its certificate. Every partner except `easy` has forced TLS. */
async function setUp(ca: string): Promise<void> {
  await api.call('PUT', '/accepted-domains/ours.example', {})
  await api.create('inbound', {
    name: 'Mailbox server',
    connectorType: 'OnPremises',
    senderDomains: ['ours.example'],
    tlsSenderCertificateNames: ['mailbox.ours.example'],
    certificateAuthorities: [ca],
  })
  for (const name of names.filter((each) => each !== 'easy')) {
    const id = await api.create('outbound', {
      name,
      connectorType: 'Partner',
      recipientDomains: [`${name}.example`],
      tlsSettings: 'DomainValidation',
      tlsDomain: `mx.${name}.example`,
      certificateAuthorities: [ca],
    })
    connectors.set(name, id)
  }
}

const body = 'First line\r\n.a dot\r\n..two dots\r\nlast line\r\n'

async function send(name: Name) {
  const client = await SmtpClient.open(runner.endpoints, relayCertificate)
  const content = `From: ann@ours.example\r\nTo: bob@${name}.example\r\nSubject: for ${name}\r\n\r\n${body}`
  const reply = await client.send('ann@ours.example', [`bob@${name}.example`], content)
  client.close()
  return api.settled(messageIdIn(reply))
}

interface Validation {
  succeeded: boolean
  steps: { step: string; detail: string }[]
}

const validate = (name: Name) =>
  api.call<Validation>('POST', `/outbound-connectors/${connectors.get(name)}/validate`, {
    recipients: [`bob@${name}.example`],
  })

describe("Postfix as a partner's server", { skip, timeout: 120_000 }, () => {
  it('receives mail under forced TLS over TLS 1.3 with forward secrecy, according to its log', async () => {
    const trace = await send('good')
    const postfix = partner('good')
    const cipher = /TLS connection established from \S+: TLSv1\.3 with cipher (TLS_\S+) .*key-exchange (\S+)/
    const [, cipherName, keyExchange] = cipher.exec(await postfix.logged(cipher)) ?? []
    assert.match(cipherName ?? '', /^TLS_(AES_256_GCM_SHA384|AES_128_GCM_SHA256)$/)
    assert.match(keyExchange ?? '', /^x25519/i)
    await postfix.logged(/postfix\/virtual.*to=<bob@good\.example>.*status=sent/)
    const [recipient] = trace.recipients
    assert.deepEqual([recipient?.state, recipient?.attempts[0]?.tls?.verified], ['Delivered', true])
    assert.match(recipient?.attempts[0]?.reply ?? '', /^250 2\.0\.0 Ok: \d+ bytes queued as/)
  })

  it('stores that message unchanged, including its dots, under a Received field with the cipher suite', () => {
    const [message = ''] = partner('good').mailbox()
    assert.match(message, /\(using TLSv1\.3 with cipher TLS_\S+/)
    assert.ok(message.endsWith(`\n\n${body.replaceAll('\r\n', '\n')}`), message)
  })

  const refusedRows: [Name, string, string][] = [
    ['plain', '4.7.321', 'offers no TLS'],
    ['expired', '4.7.322', 'has an expired certificate'],
    ['misnamed', '4.7.325', 'has a certificate for another name'],
  ]
  for (const [name, code, reason] of refusedRows) {
    it(`receives no MAIL FROM of mail under forced TLS when it ${reason}`, async () => {
      const trace = await send(name)
      const [recipient] = trace.recipients
      assert.equal(recipient?.state, 'Deferred')
      assert.match(recipient?.attempts[0]?.reply ?? '', new RegExp(`^451 ${code.replaceAll('.', '\\.')} `))
      const disconnect = await partner(name).logged(/disconnect from/)
      assert.doesNotMatch(disconnect, /mail=|rcpt=|data=/)
      assert.deepEqual(partner(name).mailbox(), [])
    })
  }

  it('with a good certificate passes the validation of its connector, and receives the test message', async () => {
    const { succeeded, steps } = await validate('good')
    assert.ok(succeeded, JSON.stringify(steps))
    assert.deepEqual(
      steps.map(({ step }) => step),
      ['Resolve', 'Connect', 'Ehlo', 'StartTls', 'Certificate', 'TestMail'],
    )
    await eventually(
      () =>
        partner('good')
          .mailbox()
          .some((message) => /^Auto-Submitted: auto-generated$/m.test(message)),
      'the test message',
    )
  })

  it('with an expired certificate fails the validation of its connector, and receives no test message', async () => {
    const { succeeded, steps } = await validate('expired')
    assert.equal(succeeded, false)
    assert.match(steps.find(({ step }) => step === 'Certificate')?.detail ?? '', /^451 4\.7\.322 /)
    assert.deepEqual(partner('expired').mailbox(), [])
  })

  it('receives mail in the clear when it offers no TLS and no connector requires it', async () => {
    const trace = await send('easy')
    await partner('easy').logged(/to=<bob@easy\.example>.*status=sent/)
    const [recipient] = trace.recipients
    assert.deepEqual([recipient?.state, recipient?.attempts[0]?.tls], ['Delivered', null])
  })
})
