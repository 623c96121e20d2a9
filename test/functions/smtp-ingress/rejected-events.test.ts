/** The `Rejected` events of a real ingress, by the stage of the session. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { eventually } from '../../support/eventually.ts'
import { inbound } from '../../support/fixtures.ts'
import {
  startTestIngress,
  type TestIngress,
  type TestIngressOptions,
  Wire,
} from '../../support/ingress/ingress.ts'

const running = new Set<TestIngress>()
afterEach(async () => {
  await Promise.all([...running].map((ingress) => ingress.drain()))
  running.clear()
})

async function ingressWith(options: TestIngressOptions = {}): Promise<TestIngress> {
  const ingress = await startTestIngress(options)
  running.add(ingress)
  return ingress
}

/** Stops the ingress. @returns the columns of its events that differ between tests */
async function eventsOf(ingress: TestIngress): Promise<Partial<MailEvent>[]> {
  await ingress.drain()
  return ingress.events.taken.map(({ id, at, softwareVersion, decision, state, kind, ...columns }) => {
    assert.deepEqual([decision, state, kind], ['Refuse', 'Rejected', 'Rejected'])
    return columns
  })
}

const client = { clientIp: '127.0.0.1', helo: 'client.example' }
const sender = {
  sender: 'a@northwind.example',
  senderDomain: 'northwind.example',
  partner: 'northwind.example',
}
const restricted = inbound({
  name: 'Northwind',
  senderDomains: ['northwind.example'],
  senderIpAddresses: ['192.0.2.0/24'],
  restrictDomainsToIpAddresses: true,
  onViolation: 'Bounce',
})

const commandRows: [
  name: string,
  commands: string[],
  options: TestIngressOptions,
  events: Partial<MailEvent>[],
][] = [
  [
    'MAIL beyond the maximum size',
    ['MAIL FROM:<a@northwind.example> SIZE=99999999'],
    {},
    [
      {
        ...client,
        ...sender,
        stage: 'Mail',
        reason: 'MessageTooLarge',
        reply: '552 5.3.4 Message exceeds 36700160 octets',
        size: 99_999_999,
      },
    ],
  ],
  [
    'REQUIRETLS in the clear',
    ['MAIL FROM:<a@northwind.example> REQUIRETLS'],
    {},
    [
      {
        ...client,
        ...sender,
        stage: 'Mail',
        reason: 'NeedsTls',
        reply: '530 5.7.0 REQUIRETLS needs TLS',
      },
    ],
  ],
  [
    'a malformed sender, whose address is unknown',
    ['MAIL FROM:<a@@b>'],
    {},
    [
      {
        ...client,
        stage: 'Mail',
        reason: 'AddressMalformed',
        reply: '501 5.1.7 Bad sender address syntax',
      },
    ],
  ],
  [
    'a malformed recipient',
    ['MAIL FROM:<a@northwind.example>', 'RCPT TO:<b@@c>'],
    {},
    [
      {
        ...client,
        ...sender,
        stage: 'Rcpt',
        reason: 'AddressMalformed',
        reply: '501 5.1.3 Bad recipient address syntax',
      },
    ],
  ],
  [
    'a recipient outside the accepted domains',
    ['MAIL FROM:<a@northwind.example>', 'RCPT TO:<b@foreign.example>'],
    {},
    [
      {
        ...client,
        ...sender,
        recipient: 'b@foreign.example',
        recipientDomain: 'foreign.example',
        stage: 'Rcpt',
        reason: 'RelayDenied',
        reply: '550 5.7.64 Relay access denied',
        direction: 'Incoming',
        connectorsVersion: 1,
      },
    ],
  ],
  [
    'a sender whose connector does not accept the address',
    ['MAIL FROM:<a@northwind.example>', 'RCPT TO:<b@ours.example>'],
    { inbound: [{ ...restricted, requireTls: false }] },
    [
      {
        ...client,
        ...sender,
        recipient: 'b@ours.example',
        recipientDomain: 'ours.example',
        stage: 'Rcpt',
        reason: 'InboundAddressRestriction',
        reply: '550 5.7.51 Sender domain is restricted to its own servers',
        direction: 'Incoming',
        connectorsVersion: 1,
        inboundConnector: 'id-northwind',
        mode: 'Enforce',
        requiredLevel: 'Opportunistic',
      },
    ],
  ],
  [
    'an address that needs SMTPUTF8',
    ['MAIL FROM:<a@northwind.example>', 'RCPT TO:<ä@ours.example>'],
    {},
    [
      {
        ...client,
        ...sender,
        recipient: 'ä@ours.example',
        recipientDomain: 'ours.example',
        stage: 'Rcpt',
        reason: 'NeedsSmtpUtf8',
        reply: '550 5.6.7 Address needs SMTPUTF8',
      },
    ],
  ],
  ['mistyped commands', ['MAIL', 'FOO', 'RCPT TO:<b@ours.example>', 'DATA', 'AUTH LOGIN', 'NOOP'], {}, []],
  ['HTTP', ['GET / HTTP/1.1'], {}, []],
]
for (const [name, commands, options, expected] of commandRows)
  test(`${name} ${expected.length === 0 ? 'causes no event' : 'is a Rejected event'}`, async () => {
    const ingress = await ingressWith(options)
    const wire = await Wire.greet(ingress.smtpPort)
    for (const command of commands) await wire.command(command)
    wire.destroy()
    assert.deepEqual(await eventsOf(ingress), expected)
  })

test('a message that is refused at its end has size and Message-ID, and its only recipient', async () => {
  const ingress = await ingressWith()
  const wire = await Wire.greet(ingress.smtpPort)
  const body = `Message-ID: <1@northwind.example>\r\n${'Received: x\r\n'.repeat(31)}\r\ntext\r\n`
  assert.match(await wire.send(body, 'a@northwind.example', ['b@ours.example']), /^554 5\.4\.14 /)
  wire.destroy()
  assert.deepEqual(await eventsOf(ingress), [
    {
      ...client,
      ...sender,
      recipient: 'b@ours.example',
      recipientDomain: 'ours.example',
      recipients: 1,
      stage: 'Data',
      reason: 'HopCountExceeded',
      reply: '554 5.4.14 Hop count exceeded',
      direction: 'Incoming',
      connectorsVersion: 1,
      size: body.length,
      headerMessageId: '<1@northwind.example>',
    },
  ])
})

test('a message that cannot be stored is a Rejected event, and a later session has no sender of an earlier one', async () => {
  const ingress = await ingressWith()
  ingress.bucket.before = async () => {
    throw new Error('away')
  }
  const wire = await Wire.greet(ingress.smtpPort)
  for (let message = 0; message < 3; message++)
    assert.match(await wire.send('\r\n', 'a@northwind.example'), /^451 4\.3\.0 /)
  wire.destroy()
  assert.match(await (await Wire.open(ingress.smtpPort)).reply(), /^421 4\.3\.2 /)
  const events = await eventsOf(ingress)
  assert.deepEqual(
    events.map(({ stage, reason, sender }) => [stage, reason, sender]),
    [
      ...Array(3).fill(['Data', 'StorageUnavailable', 'a@northwind.example']),
      ['Connect', 'StorageUnavailable', undefined],
    ],
  )
})

test('sessions that limits refuse are Rejected events of the stage Connect', async () => {
  const ingress = await ingressWith({ settings: { MAX_CONNECTION_RATE_PER_ADDRESS: 1 } })
  for (let session = 0; session < 3; session++) {
    const wire = await Wire.open(ingress.smtpPort)
    await wire.reply()
    wire.destroy()
  }
  const event = {
    clientIp: '127.0.0.1',
    stage: 'Connect',
    reason: 'ConnectionRate',
    reply: '421 4.7.0 Too many connections per minute from your address, try again later',
  }
  assert.deepEqual(await eventsOf(ingress), [event, event])
})

test('a handshake without a common version is a Rejected event; one that the client abandons is none', async () => {
  const ingress = await ingressWith()
  const abandoned = await Wire.greet(ingress.smtpPort)
  await abandoned.command('STARTTLS')
  abandoned.destroy()
  const old = await Wire.greet(ingress.smtpPort)
  await old.command('STARTTLS')
  const oldVersions = {
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  } as const
  // The handshake never ends, because the ingress closes the connection.
  old.secure(oldVersions).catch(() => {})
  const failures = () => ingress.lines.filter(({ message }) => message === 'TLS handshake failed').length
  await eventually(() => failures() === 2, 'two failed handshakes')
  assert.deepEqual(await eventsOf(ingress), [
    { ...client, stage: 'StartTls', reason: 'TlsHandshakeOldProtocol' },
  ])
})

test('a Rejected event under TLS has version, cipher and EHLO name', async () => {
  const ingress = await ingressWith()
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.startTls()
  await wire.command('MAIL FROM:<a@northwind.example>')
  await wire.command('RCPT TO:<b@foreign.example>')
  wire.destroy()
  const [{ tlsVersion, cipher, helo } = {}] = await eventsOf(ingress)
  assert.deepEqual([tlsVersion, cipher, helo], ['TLSv1.3', 'TLS_AES_256_GCM_SHA384', 'client.example'])
})

test('a queue that hangs delays no reply', async () => {
  const ingress = await ingressWith()
  let release: (() => void) | null = null
  ingress.events.before = () =>
    new Promise((resolve) => {
      release = resolve
    })
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.command('MAIL FROM:<a@northwind.example>')
  const refuse = async () => assert.match(await wire.command('RCPT TO:<b@foreign.example>'), /^550 /)
  await refuse()
  await eventually(() => release !== null, 'a batch that is sent')
  await refuse()
  wire.destroy()
  ingress.events.before = async () => {}
  ;(release as (() => void) | null)?.()
  assert.equal((await eventsOf(ingress)).length, 2)
})
