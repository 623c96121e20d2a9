/** What a message costs in the messages table, through the real functions. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { encodeTime, ulid } from 'ulid'
import { authenticationResults, receivedSpf } from '../../../shared/authentication/result-fields.ts'
import type { MessageAuthentication } from '../../../shared/contract/authentication.ts'
import type { EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { AttemptTls, Message, Recipient } from '../../../shared/contract/message.ts'
import { bucketsOfDay, indexKeys } from '../../../shared/messages/message-keys.ts'
import { waitingAttributes, waitingShards } from '../../../shared/messages/waiting.ts'
import type { Outcome } from '../../../shared/net/smtp-delivery.ts'
import type { Defer, Settings } from '../../../shared/policy/evaluate.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import {
  clientCertificate,
  inbound,
  message,
  outbound,
  outcome,
  overTls,
  receivedAt,
  recipient,
  snapshot,
} from '../../support/fixtures.ts'
import { Queues } from '../../support/pipeline/queues.ts'
import { runUnit } from '../../support/pipeline/units.ts'
import { CountingTable } from '../../support/write-units.ts'

interface Case {
  sent: Message
  recipients: Recipient[]
  connectors: Snapshot
  /** The outcomes of the attempts, in order; the last one repeats. */
  outcomes: Outcome[]
  settings?: Settings
}

/** Runs all jobs of one message, one after another. */
async function run({ sent, recipients, connectors, outcomes, settings }: Case): Promise<CountingTable> {
  const table = new CountingTable()
  const queues = new Queues()
  let now = receivedAt.getTime()
  let attempts = 0
  const job: EvaluationJob = { message: sent, recipients, notBefore: null }
  queues.send('evaluate', job, now)
  for (let next = queues.nextVisible(); next !== null; next = queues.nextVisible()) {
    now = Math.max(now + 1000, next)
    const [entry = assert.fail('no entry is visible')] = queues.visible(now)
    queues.delete(entry)
    await runUnit(entry.unit, entry.body, {
      request: (command) => table.send(command),
      send: async (unit, outgoing) => {
        for (const { job, delaySeconds = 0 } of outgoing) queues.send(unit, job, now + delaySeconds * 1000)
      },
      read: async () => Buffer.from('octets'),
      store: () => assert.fail('no DSN is expected'),
      transmit: async (mail) => {
        const result = outcomes[Math.min(attempts++, outcomes.length - 1)] as Outcome
        return new Map(mail.recipients.map(({ address }) => [address, result]))
      },
      reasonNotToRun: () => null,
      connectors: () => connectors,
      now: () => new Date(now),
      ...(settings && { settings }),
    })
  }
  return table
}

const ids = { contoso: ulid(1), relay: ulid(2), partner: ulid(3) }

/** An address of the length. */
const addressOf = (local: string, domain: string, length: number): string =>
  `${local.padEnd(length - domain.length - 1, 'abcdefghij')}@${domain}`

function authentication(sender: string, ip: string, helo: string): MessageAuthentication {
  const domain = sender.slice(sender.indexOf('@') + 1)
  const signature = (selector: string, of: string, aligned: boolean, octets: string) => ({
    result: 'pass' as const,
    ...{ domain: of, selector, aligned, algorithm: 'rsa-sha256', signature: octets },
  })
  const spf = { result: 'pass' as const, domain, identity: 'mailfrom' as const }
  const dkim = [
    signature('selector2', domain, true, 'kQ3x9zPw'),
    signature('arcselector10001', 'relay.example.net', false, 'Zm9vYmFy'),
  ]
  const dmarc = {
    result: 'pass' as const,
    fromDomain: domain,
    policy: 'reject' as const,
    alignedBy: ['spf' as const, 'dkim' as const],
  }
  const arc = { result: 'pass' as const, sealer: 'relay.example.net' }
  const session = { ip, helo, mailFrom: sender, hostname: 'mail.ours.example' }
  const results = authenticationResults(session, {
    spf,
    dkim,
    dmarc: { ...dmarc, reason: null },
    arc,
    unreadable: null,
  })
  return {
    ...{ at: '2026-01-15T12:00:01.457Z', internal: null, spf: { result: 'pass', domain } },
    dkim: dkim.map(({ result, domain, selector, aligned }) => ({ result, domain, selector, aligned })),
    dmarc,
    arc,
    fields: `Authentication-Results: ${results}\r\n${receivedSpf(session, spf)}`,
  }
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

const sessionTls: AttemptTls = {
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  group: 'X25519MLKEM768',
  verified: true,
  notVerified: null,
  fingerprint256: digest('s'),
  certificate: {
    names: ['mailbox1.internal.ours.example', 'mailbox2.internal.ours.example'],
    issuer: "C=US\nO=Let's Encrypt\nCN=R11",
    verdict: 'trusted',
  },
}

/** Accepted, with a verified session. */
const accepted = outcome({
  host: 'mailbox1.internal.ours.example',
  ip: '10.20.30.40',
  tls: sessionTls,
  policy: 'DomainValidation',
  policySource: 'Connector',
  tlsResult: 'success',
  reply: {
    code: 250,
    enhanced: '2.6.0',
    text: '<0f3b7c1e5a@contoso.example> [InternalId=8147356, Hostname=MBX07] Queued mail for delivery',
  },
})
const refusedForNow: Outcome = {
  ...accepted,
  outcome: 'TemporaryFailure',
  reply: { code: 452, enhanced: '4.3.1', text: 'Insufficient system resources, try again later' },
}

/** A message to a mailbox of the organisation, of a partner with a connector. */
function typical(
  lengths: { address: number; ip: string; headerMessageId: string },
  fields: Partial<Message> = {},
): Case {
  const sender = addressOf('jane.doe', 'contoso.example', lengths.address)
  const helo = 'mail-vi1eur05on2105.outbound.contoso.example'
  const id = ulid(receivedAt.getTime())
  const sent = message({
    id,
    mailFrom: sender,
    source: { ip: lengths.ip, port: 52_214, helo },
    tls: { ...overTls, serverName: 'mx.ours.example' },
    headerMessageId: lengths.headerMessageId,
    authentication: authentication(sender, lengths.ip, helo),
    size: 48_213,
    content: {
      bucket: 'mailflow-contentbucketdd05a3b9-1x2y3z4a5b6c',
      key: `segments/${ulid(receivedAt.getTime() + 5)}`,
      offset: 182_331,
      length: 48_213,
      sha256: digest('c'),
    },
    ...fields,
  })
  const contoso = inbound({
    id: ids.contoso,
    name: 'Contoso',
    senderDomains: ['contoso.example', '*.contoso.example'],
    requireDmarc: true,
  })
  const relay = inbound({
    id: ids.relay,
    name: 'Own servers',
    connectorType: 'OnPremises',
    senderDomains: ['*'],
    senderIpAddresses: ['192.0.2.1'],
    requireTls: false,
  })
  const mailboxes = outbound({
    id: ids.partner,
    name: 'Mailboxes',
    recipientDomains: ['ours.example'],
    route: 'SmartHosts',
    smartHosts: [{ host: 'mailbox1.internal.ours.example', port: 25 }],
    tlsSettings: 'DomainValidation',
    tlsDomain: 'mailbox1.internal.ours.example',
  })
  return {
    sent,
    recipients: [recipient({ address: addressOf('john.smith', 'ours.example', lengths.address) })],
    connectors: snapshot({
      inbound: [contoso, relay],
      outbound: [mailboxes],
      acceptedDomains: ['ours.example'],
    }),
    outcomes: [accepted],
  }
}

const medium = {
  address: 28,
  ip: '198.51.100.73',
  headerMessageId: `<${digest('m').slice(0, 32)}@mail.contoso.example>`,
}
const large = {
  address: 60,
  ip: '2001:db8:85a3:8d3:1319:8a2e:370:7348',
  headerMessageId: `<AM9PR05MB7668${digest('h').toUpperCase().slice(0, 20)}@AM9PR05MB7668.eurprd05.prod.outlook.com>`,
}

const aKilobyte = 1024

/** The writes of the message's own items: a kept requirement or certificate is written once a day for all messages. */
const own = ({ writes }: CountingTable) => writes.filter(({ isShared }) => !isShared)
const unitsOf = (table: CountingTable): number =>
  own(table).reduce((sum, { units, indexUnits }) => sum + units + indexUnits, 0)

const daneTls = {
  ...sessionTls,
  fingerprint256: digest('mx'),
  certificate: {
    names: ['mx1.northwind.example', '*.northwind.example'],
    issuer: 'CN=Northwind internal CA',
    verdict: 'SELF_SIGNED_CERT_IN_CHAIN',
  },
}
const byDane = outcome({
  host: 'mx1.northwind.example',
  ip: '203.0.113.25',
  tls: daneTls,
  policy: 'Dane',
  policySource: 'Dane',
  tlsResult: 'success',
  reply: { code: 250, enhanced: '2.0.0', text: 'Ok: queued as 4T3kXp2Bz1z9sQ7' },
})
const bySes = outcome({
  host: 'Amazon SES',
  reply: { code: 250, enhanced: '2.0.0', text: 'Ok 0102018d3c5c4f0e-7a1b2c3d' },
})

/** Mail of the organisation to a domain without a connector. */
const outgoing = (lengths: typeof medium, settings?: Settings): Case => {
  const toMailbox = typical(lengths, { direction: 'Originating' })
  return {
    ...toMailbox,
    recipients: [recipient({ address: addressOf('john.smith', 'northwind.example', lengths.address) })],
    connectors: snapshot({
      inbound: [
        inbound({
          id: ids.relay,
          name: 'Own servers',
          connectorType: 'OnPremises',
          senderDomains: ['*'],
          senderIpAddresses: [lengths.ip],
          requireTls: true,
        }),
      ],
    }),
    outcomes: [settings === undefined ? byDane : bySes],
    ...(settings && { settings }),
  }
}

/** 1,024 octets that cannot be compressed, as a certificate's key and signature. */
const certificateOctets = (name: string): string =>
  Buffer.from(Array.from({ length: 32 }, (_, n) => digest(`${name} ${n}`)).join(''), 'hex').toString('base64')

const withCertificate = typical(medium, {
  tls: {
    ...overTls,
    clientCertificate: clientCertificate({
      fingerprint256: digest('client'),
      chain: ['leaf', 'intermediate', 'root'].map(certificateOctets),
      revocation: { status: 'Good', detail: 'CRL http://crl.example/ca.crl' },
    }),
  },
})

const second = recipient({ address: 'second.recipient@ours.example' })

describe('a message costs in write units of the messages table', () => {
  const rows: [name: string, message: Case, units: number][] = [
    ['to a smart host: 5', typical(medium), 5],
    ['to a smart host, with long addresses: 5', typical(large), 5],
    ['to MX hosts, verified by DANE: 5', outgoing(medium), 5],
    ['to MX hosts, verified by DANE, with long addresses: 5', outgoing(large), 5],
    ['through Amazon SES: 5', outgoing(medium, { defaultRoute: 'Ses' }), 5],
    ['from a client with a certificate: 5', withCertificate, 5],
    ['to two recipients: 9', { ...typical(medium), recipients: [...typical(medium).recipients, second] }, 9],
    ['after one deferral: 16', { ...typical(medium), outcomes: [refusedForNow, accepted] }, 16],
    // Long addresses and long replies together need a second KB while the recipient waits.
    [
      'after one deferral, with long addresses: 19',
      { ...typical(large), outcomes: [refusedForNow, accepted] },
      19,
    ],
    [
      'for which the sender requested a success DSN that the next hop sends: 8',
      {
        ...typical(medium),
        recipients: typical(medium).recipients.map((each) => ({ ...each, notify: ['SUCCESS' as const] })),
        outcomes: [{ ...accepted, dsnPassedOn: true }],
      },
      8,
    ],
  ]
  for (const [name, mail, units] of rows)
    test(name, async () => {
      const table = await run(mail)
      assert.equal(unitsOf(table), units, JSON.stringify(own(table), null, 1))
    })
})

describe('every item of a message is smaller than 1 KB', () => {
  const rows: [name: string, message: Case][] = [
    ['to a smart host', typical(medium)],
    ['to a smart host, with long addresses', typical(large)],
    ['by DANE', outgoing(medium)],
    ['by DANE, with long addresses', outgoing(large)],
    ['from a client with a certificate', withCertificate],
    ['after one deferral', { ...typical(medium), outcomes: [refusedForNow, accepted] }],
  ]
  for (const [name, mail] of rows)
    test(`${name}, and so is each entry of the index`, async () => {
      const table = await run(mail)
      for (const { sk, octets, indexOctets } of own(table))
        assert.ok(
          octets < aKilobyte && indexOctets < aKilobyte / 2,
          `${sk}: ${octets} and ${indexOctets} octets`,
        )
    })
})

test('a client certificate is stored once for all its messages', async () => {
  const table = await run(withCertificate)
  const [certificate, ...more] = table.writes.filter(({ sk }) => sk === 'client-certificate')
  assert.equal(more.length, 0)
  assert.ok((certificate?.octets ?? 0) > 2 * aKilobyte)
})

test('no partition of the index of waiting mail gets more than 1,000 writes a second while 10,000 messages a second are deferred', () => {
  const perSecond = 10_000
  // A message enters the index, and leaves and enters it at its attempts after 1 and 5 minutes.
  const writesPerMessage = 5
  const counts = new Map(waitingShards().map((shard) => [shard, 0]))
  const mail = message()
  const verdict = {
    reason: 'RetryLater',
    until: receivedAt,
    expiresAt: receivedAt,
    connectors: { inbound: null, outbound: null },
  } as unknown as Defer
  for (let n = 0; n < perSecond; n++) {
    const id = `${encodeTime(receivedAt.getTime() + Math.floor(n / 10), 10)}${String(n).padStart(16, '0')}`
    const { waiting } = waitingAttributes({ ...mail, id }, verdict)
    counts.set(waiting, (counts.get(waiting) ?? assert.fail(`${waiting} is no partition`)) + writesPerMessage)
  }
  const maximum = Math.max(...counts.values())
  assert.ok(maximum < 1000, `max ${maximum}`)
})

test('no partition of the index gets more than 1,000 writes a second at 10,000 messages a second', () => {
  const perSecond = 10_000
  const counts = new Map(bucketsOfDay('2026-01-15').map((bucket) => [bucket, 0]))
  for (let n = 0; n < perSecond; n++) {
    const at = receivedAt.getTime() + Math.floor(n / 10)
    const { bucket } = indexKeys(ulid(at), receivedAt.toISOString())
    counts.set(bucket, (counts.get(bucket) ?? assert.fail(`${bucket} is no partition of the day`)) + 1)
  }
  const [maximum, mean] = [Math.max(...counts.values()), perSecond / counts.size]
  assert.equal(counts.size, 16)
  assert.ok(maximum < 1000 && maximum / mean < 1.25, `max ${maximum}, max/mean ${maximum / mean}`)
})
