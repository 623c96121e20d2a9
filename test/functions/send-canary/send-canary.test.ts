import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type SentCanary, sendCanary } from '../../../functions/send-canary/send-canary.ts'
import { newUlid } from '../../../shared/content/ulid.ts'
import { canaryAddress } from '../../../shared/mail/canary-address.ts'
import { defaultTimeouts } from '../../../shared/net/smtp/connection.ts'
import { createPki, type Identity, type Pki } from '../../support/pki.ts'
import { type Partner, type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'

// The name has an address on every machine.
const hostname = 'localhost'

let pki: Pki
let identity: Identity
before(async () => {
  pki = await createPki()
  identity = await pki.issue({ names: [hostname] })
})

/** Sends a canary to a server with these options. */
async function sendTo(options: PartnerOptions, authority = pki.ca) {
  const server = await startPartner(options)
  try {
    const recorded: [id: string, connections: number][] = []
    const result = await send(server.port, authority, async (id) => {
      recorded.push([id, server.connections()])
    })
    return { result, recorded, server }
  } finally {
    await server.stop()
  }
}

const send = (port: number, authority: string, recordSent: (id: string) => Promise<void>) =>
  sendCanary({
    canaries: { recordSent },
    hostname,
    authorities: [authority],
    newId: newUlid,
    timeouts: defaultTimeouts,
    signal: AbortSignal.timeout(20_000),
    port,
  })

test('a canary has one recipient and no sender, travels over TLS, and its id is stored before the connection', async () => {
  const { result, recorded, server } = await sendTo({ tls: identity })
  assert.equal(result.kind, 'Accepted')
  assert.deepEqual(recorded, [[result.id, 0]])
  const [mail, ...others] = server.received
  assert.deepEqual(others, [])
  assert.match(mail?.mail ?? '', /^MAIL FROM:<>/)
  assert.deepEqual(mail?.recipients, [`RCPT TO:<${canaryAddress(result.id, hostname)}>`])
  assert.deepEqual([mail?.tls?.protocol, mail?.tls?.serverName], ['TLSv1.3', hostname])
  assert.match(mail?.content.toString() ?? '', /^Auto-Submitted: auto-generated\r\n/m)
})

const failures: [
  title: string,
  PartnerOptions | (() => Promise<PartnerOptions>),
  SentCanary['kind'],
  RegExp,
][] = [
  ['that offers no TLS', {}, 'TlsNotMet', /STARTTLS/],
  [
    'whose certificate is for another name',
    async () => ({ tls: await pki.issue({ names: ['other.example'] }) }),
    'TlsNotMet',
    /other\.example/,
  ],
  [
    'whose certificate has expired',
    async () => ({ tls: await pki.issue({ names: [hostname], notAfter: new Date(Date.now() - 1000) }) }),
    'TlsNotMet',
    /expired/i,
  ],
  [
    'whose certificate an unknown authority has issued',
    async () => ({ tls: await (await createPki('Other CA')).issue({ names: [hostname] }) }),
    'TlsNotMet',
    /4\.7/,
  ],
  [
    'that refuses connections for now',
    { greeting: '421 4.3.2 Service not available' },
    'NoSession',
    /^421 4\.3\.2/,
  ],
]
for (const [title, options, kind, reply] of failures)
  test(`a server ${title} gets no canary, and the result says why`, async () => {
    const { result, server } = await sendTo(typeof options === 'function' ? await options() : options)
    assert.equal(result.kind, kind)
    assert.match(result.reply, reply)
    assert.deepEqual(server.received, [])
  })

test('a server that refuses the recipient or the message refuses the canary with its reply', async () => {
  for (const options of [
    {
      answer: (command: string) =>
        command.startsWith('RCPT') ? '550 5.7.64 Relay access denied' : undefined,
    },
    { answerToMessage: '451 4.3.0 Try again later' },
  ]) {
    const { result } = await sendTo({ tls: identity, ...options })
    assert.equal(result.kind, 'Refused')
    assert.match(result.reply, /^(550 5\.7\.64 |451 4\.3\.0 )/)
  }
})

test('without a server the result says that the connection failed', async () => {
  const server: Partner = await startPartner()
  await server.stop()
  const result = await send(server.port, pki.ca, async () => {})
  assert.equal(result.kind, 'NoSession')
  assert.match(result.reply, /^4/)
})

test('while the table fails, no canary is sent', async () => {
  const server = await startPartner({ tls: identity })
  after(() => server.stop())
  await assert.rejects(
    send(server.port, pki.ca, () => Promise.reject(new Error('throttled'))),
    /throttled/,
  )
  assert.equal(server.connections(), 0)
})
