import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import type { SecureContextOptions } from 'node:tls'
import type { SmartHost, TlsRequirement } from '../../../shared/contract/jobs.ts'
import type { Envelope, Recipient } from '../../../shared/contract/message.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { defaultTimeouts } from '../../../shared/net/smtp/connection.ts'
import {
  deliverOverSmtp,
  type Outcome,
  type SmtpDeliveryOptions,
  selectOutcome,
} from '../../../shared/net/smtp-delivery.ts'
import { trustAnchorsDigest } from '../../../shared/tls/trust-anchors-digest.ts'
import { fakeResolver } from '../../support/dns.ts'
import { attempt, message, recipient } from '../../support/fixtures.ts'
import { createPki, daysFromNow, type Pki, selfSigned } from '../../support/pki.ts'
import { smtpOptions } from '../../support/smtp-options.ts'
import { type Partner, type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'

const secret = 'The secret is 4711.'
const content = Buffer.from(`From: a@elsewhere.example\r\nSubject: hello\r\n\r\n${secret}\r\n`)
const smartHost = 'mx.partner.example'

type Level = TlsRequirement['level']

function requirement(level: Level, fields: Partial<TlsRequirement> = {}): TlsRequirement {
  return {
    level,
    mode: 'Enforce',
    tlsDomain: level === 'DomainValidation' ? smartHost : null,
    certificateAuthorities: [pki.ca],
    minimumTlsVersion: 'TLSv1.2',
    revocationCheck: 'SoftFail',
    smtpDaneMode: 'Opportunistic',
    mtaStsMode: 'Opportunistic',
    clientCertificate: null,
    ...fields,
  }
}

interface Sending {
  tls: TlsRequirement
  addresses?: string[]
  recipients?: Recipient[]
  envelope?: Partial<Envelope>
  octets?: Buffer
  options?: Partial<SmtpDeliveryOptions>
}

async function send(hosts: SmartHost[], sending: Sending): Promise<Map<string, Outcome>> {
  const { addresses = ['b@partner.example'], envelope = {}, octets = content } = sending
  const original = message()
  return deliverOverSmtp(
    { kind: 'SmartHosts', hosts },
    {
      message: { ...original, envelope: { ...original.envelope, ...envelope } },
      recipients: sending.recipients ?? addresses.map((address) => recipient({ address })),
      content: octets,
      tls: sending.tls,
    },
    smtpOptions(sending.options),
  )
}

async function withPartner<T>(behaviour: PartnerOptions, use: (partner: Partner) => Promise<T>): Promise<T> {
  const partner = await startPartner(behaviour)
  try {
    return await use(partner)
  } finally {
    await partner.stop()
  }
}

async function sendTo(behaviour: PartnerOptions, sending: Sending) {
  return withPartner(behaviour, async (partner) => {
    const outcomes = await send([{ host: smartHost, port: partner.port }], sending)
    return { partner, outcomes, wire: partner.wire().toString('latin1') }
  })
}

async function sendOne(behaviour: PartnerOptions, sending: Sending) {
  const { outcomes, ...rest } = await sendTo(behaviour, sending)
  const [outcome] = outcomes.values()
  assert.ok(outcome)
  return { ...rest, outcome }
}

let pki: Pki
const certificates: Record<string, SecureContextOptions> = {}

before(async () => {
  pki = await createPki()
  const names = [smartHost]
  certificates.good = await pki.issue({ names })
  certificates.wildcard = await pki.issue({ names: ['*.partner.example'] })
  certificates.wrongName = await pki.issue({ names: ['mx.another.example'] })
  certificates.expired = await pki.issue({ names, notBefore: daysFromNow(-9), notAfter: daysFromNow(-2) })
  certificates.notYet = await pki.issue({ names, notBefore: daysFromNow(2), notAfter: daysFromNow(9) })
  certificates.selfSigned = await selfSigned({ names })
  certificates.unknownCa = await (await createPki('Other CA')).issue({ names })
  const bothFaults = { names, notBefore: daysFromNow(-9), notAfter: daysFromNow(-2) }
  certificates.selfSignedExpired = await selfSigned(bothFaults)
  certificates.unknownCaExpired = await (await createPki('Other CA')).issue(bothFaults)
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const
  certificates.oldTls = { ...certificates.good, ...old }
  certificates.tls12 = { ...certificates.good, maxVersion: 'TLSv1.2' }
  certificates.rsa = { ...(await pki.issue({ names, rsa: true })), maxVersion: 'TLSv1.2' }
})

const hangsUpOnStartTls = (): PartnerOptions => ({
  tls: certificates.good ?? {},
  answer: (line) => (line === 'STARTTLS' ? null : undefined),
})
const requiresClientCertificate = (): PartnerOptions => ({
  tls: certificates.good ?? {},
  requiresClientCertificate: true,
})

describe('an attempt with forced TLS', () => {
  const enforced: Level[] = ['EncryptionOnly', 'CertificateValidation', 'DomainValidation']
  const from = (first: Level): Level[] => enforced.slice(enforced.indexOf(first))
  const rows: [string, () => PartnerOptions, Level[], string][] = [
    ['offers no STARTTLS', () => ({}), enforced, '4.7.321'],
    ...['454 4.7.0 not now', '502 5.5.1 no', '421 4.3.2 bye', '354 go on'].map(
      (refuseStartTls): [string, () => PartnerOptions, Level[], string] => [
        `answers STARTTLS with ${refuseStartTls}`,
        () => ({ tls: certificates.good ?? {}, refuseStartTls }),
        enforced,
        '4.7.321',
      ],
    ),
    [
      'does not support EHLO',
      () => ({ answer: (line) => (line.startsWith('EHLO') ? '502 5.5.1 what?' : undefined) }),
      enforced,
      '4.7.321',
    ],
    [
      'breaks the handshake',
      () => ({ tls: certificates.good ?? {}, breakHandshake: true }),
      enforced,
      '4.7.5',
    ],
    ['has TLS 1.1 at most', () => ({ tls: certificates.oldTls ?? {} }), enforced, '4.7.5'],
    ['closes at STARTTLS', hangsUpOnStartTls, enforced, '4.7.321'],
    ['requires a client certificate', requiresClientCertificate, enforced, '4.7.5'],
    [
      'requires a client certificate in TLS 1.2',
      () => ({ ...requiresClientCertificate(), tls: certificates.tls12 ?? {} }),
      enforced,
      '4.7.5',
    ],
    [
      'has a self-signed certificate',
      () => ({ tls: certificates.selfSigned ?? {} }),
      from('CertificateValidation'),
      '4.7.320',
    ],
    [
      'has a certificate of an unknown CA',
      () => ({ tls: certificates.unknownCa ?? {} }),
      from('CertificateValidation'),
      '4.7.320',
    ],
    [
      'has an expired certificate',
      () => ({ tls: certificates.expired ?? {} }),
      from('CertificateValidation'),
      '4.7.322',
    ],
    [
      'has a certificate that is not valid yet',
      () => ({ tls: certificates.notYet ?? {} }),
      from('CertificateValidation'),
      '4.7.322',
    ],
    [
      'has an expired self-signed certificate',
      () => ({ tls: certificates.selfSignedExpired ?? {} }),
      from('CertificateValidation'),
      '4.7.32',
    ],
    [
      'has an expired certificate of an unknown CA',
      () => ({ tls: certificates.unknownCaExpired ?? {} }),
      from('CertificateValidation'),
      '4.7.32',
    ],
    [
      'has a certificate for another name',
      () => ({ tls: certificates.wrongName ?? {} }),
      ['DomainValidation'],
      '4.7.325',
    ],
  ]
  for (const [does, behaviour, refusedAt, code] of rows) {
    for (const level of refusedAt) {
      it(`sends no mail under ${level} when the partner ${does}`, async () => {
        const { outcome, partner, wire } = await sendOne(behaviour(), { tls: requirement(level) })
        assert.equal(outcome.outcome, 'TlsNotMet', formatReply(outcome.reply))
        assert.equal(outcome.reply.code, 451)
        assert.ok(outcome.reply.enhanced.startsWith(code), formatReply(outcome.reply))
        assert.equal(outcome.policy, level)
        assert.equal(outcome.tls?.verified ?? false, false)
        assert.equal(partner.received.length, 0)
        assert.doesNotMatch(partner.commands.join('\n'), /^(?:MAIL|RCPT|DATA)/m)
        assert.doesNotMatch(wire, /MAIL FROM|RCPT TO|DATA\r\n|4711/i)
      })
    }
    for (const level of from('EncryptionOnly').filter(
      (each) => refusedAt.length > 0 && !refusedAt.includes(each),
    )) {
      it(`delivers encrypted under ${level} when the partner ${does}`, async () => {
        const { outcome, partner, wire } = await sendOne(behaviour(), { tls: requirement(level) })
        assert.equal(outcome.outcome, 'Delivered', formatReply(outcome.reply))
        assert.equal(outcome.tls?.verified, level !== 'EncryptionOnly')
        assert.equal(partner.received.length, 1)
        assert.doesNotMatch(wire, /MAIL FROM|RCPT TO|4711/i)
      })
    }
  }

  const good: [Level, string, Partial<TlsRequirement>, boolean][] = [
    ['EncryptionOnly', 'good', {}, false],
    ['EncryptionOnly', 'good', { minimumTlsVersion: 'TLSv1.3' }, false],
    ['CertificateValidation', 'good', {}, true],
    ['DomainValidation', 'good', {}, true],
    ['DomainValidation', 'good', { tlsDomain: '*.partner.example' }, true],
    ['DomainValidation', 'wildcard', {}, true],
    ['DomainValidation', 'wildcard', { tlsDomain: '*.partner.example' }, true],
    ['DomainValidation', 'tls12', {}, true],
  ]
  const partnersWith: Record<string, string> = {
    good: 'a good certificate',
    wildcard: 'a certificate for *.partner.example',
    tls12: 'a good certificate and TLS 1.2 at most',
  }
  for (const [level, certificate, fields, verified] of good) {
    const detail = Object.entries(fields).map(([field, value]) => ` with ${field} ${value}`)
    it(`delivers encrypted under ${level}${detail} to a partner with ${partnersWith[certificate]}`, async () => {
      const tls = certificates[certificate] ?? {}
      const { outcome, partner, wire } = await sendOne({ tls }, { tls: requirement(level, fields) })
      assert.equal(outcome.outcome, 'Delivered', formatReply(outcome.reply))
      assert.deepEqual(partner.received[0]?.tls, { protocol: outcome.tls?.protocol, serverName: smartHost })
      assert.equal(outcome.tls?.verified, verified)
      assert.match(outcome.tls?.fingerprint256 ?? '', /^[0-9a-f]{64}$/)
      assert.match(outcome.tls?.cipher ?? '', /^TLS_.*(GCM|POLY1305)/)
      assert.match(outcome.tls?.group ?? '', /^X25519/)
      assert.equal(outcome.ip, '127.0.0.1')
      assert.deepEqual(partner.received[0]?.content, content)
      assert.doesNotMatch(wire, /MAIL FROM|4711/)
    })
  }

  it('ends in TlsNotMet when the connector requires TLS 1.3 and the partner has TLS 1.2 at most', async () => {
    const tls = requirement('EncryptionOnly', { minimumTlsVersion: 'TLSv1.3' })
    const { outcome } = await sendOne({ tls: certificates.tls12 ?? {} }, { tls })
    assert.equal(outcome.outcome, 'TlsNotMet')
    assert.match(formatReply(outcome.reply), /^451 4\.7\.5 TLS handshake failed: .*PROTOCOL_VERSION/)
  })

  const ciphers: [string, string][] = [
    ['AES128-GCM-SHA256', 'TlsNotMet'],
    ['ECDHE-RSA-AES128-SHA256', 'TlsNotMet'],
    ['ECDHE-RSA-AES128-GCM-SHA256', 'Delivered'],
    ['DHE-RSA-AES128-GCM-SHA256', 'Delivered'],
  ]
  for (const [cipher, outcomeName] of ciphers) {
    it(`ends in ${outcomeName} when the partner's only cipher suite in TLS 1.2 is ${cipher}`, async () => {
      const tls = { ...certificates.rsa, ciphers: cipher, dhparam: 'auto' }
      const { outcome } = await sendOne({ tls }, { tls: requirement('EncryptionOnly') })
      assert.equal(outcome.outcome, outcomeName, formatReply(outcome.reply))
    })
  }

  it('does not trust a private CA when the connector names no CA', async () => {
    const tls = requirement('CertificateValidation', { certificateAuthorities: [] })
    const { outcome } = await sendOne({ tls: certificates.good ?? {} }, { tls })
    assert.equal(outcome.reply.enhanced, '4.7.320')
  })

  it('trusts a self-signed certificate that the connector names as CA', async () => {
    const certificate = certificates.selfSigned ?? {}
    const tls = requirement('DomainValidation', { certificateAuthorities: [String(certificate.cert)] })
    const { outcome } = await sendOne({ tls: certificate }, { tls })
    assert.equal(outcome.tls?.verified, true)
  })

  it('ignores replies that are injected in the clear after the reply to STARTTLS', async () => {
    const injected = '250-partner.example\r\n250 SIZE 1\r\n250 2.1.0 OK\r\n'
    const { outcome, wire } = await sendOne(
      { tls: certificates.good ?? {}, injected },
      { tls: requirement('DomainValidation') },
    )
    assert.notEqual(outcome.reply.enhanced, '5.3.4', 'SIZE 1 was believed')
    assert.doesNotMatch(wire, /MAIL FROM|4711/)
  })

  it('tries the next host when the first does not meet the requirement', async () => {
    await withPartner({}, (bad) =>
      withPartner({ tls: certificates.good ?? {} }, async (fine) => {
        const hosts = [bad, fine].map(({ port }) => ({ host: smartHost, port }))
        const outcomes = await send(hosts, { tls: requirement('DomainValidation') })
        assert.equal(outcomes.get('b@partner.example')?.outcome, 'Delivered')
        assert.doesNotMatch(bad.wire().toString(), /MAIL FROM/)
      }),
    )
  })
})

describe('an attempt with opportunistic TLS', () => {
  const rows: [string, () => PartnerOptions, boolean][] = [
    ['offers no STARTTLS', () => ({}), false],
    [
      'answers STARTTLS with 454',
      () => ({ tls: certificates.good ?? {}, refuseStartTls: '454 4.7.0 not now' }),
      false,
    ],
    [
      'answers STARTTLS with 421',
      () => ({ tls: certificates.good ?? {}, refuseStartTls: '421 4.7.0 bye' }),
      false,
    ],
    ['breaks the handshake', () => ({ tls: certificates.good ?? {}, breakHandshake: true }), false],
    ['has TLS 1.1 at most', () => ({ tls: certificates.oldTls ?? {} }), false],
    ['closes at STARTTLS', hangsUpOnStartTls, false],
    ['requires a client certificate', requiresClientCertificate, false],
    [
      'does not support EHLO',
      () => ({ answer: (line) => (line.startsWith('EHLO') ? '502 5.5.1 what?' : undefined) }),
      false,
    ],
    ['has a self-signed certificate', () => ({ tls: certificates.selfSigned ?? {} }), true],
    ['has an expired certificate', () => ({ tls: certificates.expired ?? {} }), true],
    ['has a certificate for another name', () => ({ tls: certificates.wrongName ?? {} }), true],
    ['has a good certificate', () => ({ tls: certificates.good ?? {} }), true],
  ]
  for (const [does, behaviour, encrypted] of rows) {
    it(`delivers ${encrypted ? 'encrypted' : 'in the clear'} when the partner ${does}`, async () => {
      const { outcome, partner, wire } = await sendOne(behaviour(), { tls: requirement('Opportunistic') })
      assert.equal(outcome.outcome, 'Delivered', formatReply(outcome.reply))
      assert.equal(outcome.tls !== null, encrypted)
      assert.equal(outcome.tls?.verified ?? false, false)
      assert.deepEqual(partner.received[0]?.content, content)
      assert.equal(/4711/.test(wire), !encrypted)
    })
  }

  it('ends in TemporaryFailure when the partner breaks the handshake and refuses mail in the clear', async () => {
    const answer = (line: string) => (line.startsWith('MAIL') ? '530 5.7.0 Must issue STARTTLS' : undefined)
    const behaviour = { tls: certificates.good ?? {}, breakHandshake: true, answer }
    const { outcome } = await sendOne(behaviour, { tls: requirement('Opportunistic') })
    assert.equal(outcome.outcome, 'TemporaryFailure')
    assert.equal(outcome.reply.enhanced, '4.7.0')
  })
})

describe('an attempt under a report-only connector', () => {
  const rows: [string, () => PartnerOptions, Level, string | null][] = [
    ['offers no STARTTLS', () => ({}), 'EncryptionOnly', '4.7.321'],
    [
      'breaks the handshake',
      () => ({ tls: certificates.good ?? {}, breakHandshake: true }),
      'EncryptionOnly',
      '4.7.5',
    ],
    [
      'has a self-signed certificate',
      () => ({ tls: certificates.selfSigned ?? {} }),
      'CertificateValidation',
      '4.7.320',
    ],
    [
      'has an expired certificate',
      () => ({ tls: certificates.expired ?? {} }),
      'CertificateValidation',
      '4.7.322',
    ],
    [
      'has a certificate for another name',
      () => ({ tls: certificates.wrongName ?? {} }),
      'DomainValidation',
      '4.7.325',
    ],
    ['has a good certificate', () => ({ tls: certificates.good ?? {} }), 'DomainValidation', null],
  ]
  for (const [does, behaviour, level, code] of rows) {
    it(`delivers and reports ${code ?? 'nothing'} when the partner ${does}`, async () => {
      const { outcome } = await sendOne(behaviour(), { tls: requirement(level, { mode: 'ReportOnly' }) })
      assert.equal(outcome.outcome, 'Delivered', formatReply(outcome.reply))
      assert.equal(outcome.reportOnly?.enhanced ?? null, code)
      assert.equal(outcome.tls?.verified ?? false, code === null)
    })
  }

  it('delivers and reports a TLS version older than the connector requires', async () => {
    const tls = requirement('EncryptionOnly', { mode: 'ReportOnly', minimumTlsVersion: 'TLSv1.3' })
    const { outcome } = await sendOne({ tls: certificates.tls12 ?? {} }, { tls })
    assert.equal(outcome.outcome, 'Delivered')
    assert.match(outcome.reportOnly?.text ?? '', /TLSv1\.3 or newer is required, TLSv1\.2/)
  })
})

describe('a mail transaction', () => {
  const clear = () => ({ tls: requirement('Opportunistic') })
  const three = ['one@partner.example', 'two@partner.example', 'three@partner.example']

  for (const extensions of [['PIPELINING'], []]) {
    it(`gives each recipient the outcome of its own reply to RCPT, with extensions [${extensions}]`, async () => {
      const answer = (line: string) => {
        if (line.startsWith('RCPT TO:<one@')) return '550 5.1.1 no such user'
        return line.startsWith('RCPT TO:<two@') ? '450 4.2.1 mailbox is busy' : undefined
      }
      const { outcomes, partner } = await sendTo({ extensions, answer }, { ...clear(), addresses: three })
      const results = three
        .map((address) => outcomes.get(address))
        .map((each) => [each?.outcome, each?.reply.enhanced])
      assert.deepEqual(results, [
        ['PermanentFailure', '5.1.1'],
        ['TemporaryFailure', '4.2.1'],
        ['Delivered', '2.0.0'],
      ])
      assert.deepEqual(partner.received[0]?.recipients, ['RCPT TO:<three@partner.example>'])
    })

    it(`gives each recipient the outcome of its own reply when all recipients are refused, with extensions [${extensions}]`, async () => {
      const answer = (line: string) => {
        if (line.startsWith('RCPT TO:<one@')) return '550 5.1.1 no such user'
        return line.startsWith('RCPT') ? '450 4.2.1 mailbox is busy' : undefined
      }
      const { outcomes } = await sendTo({ extensions, answer }, { ...clear(), addresses: three })
      const results = three.map((address) => outcomes.get(address)?.outcome)
      assert.deepEqual(results, ['PermanentFailure', 'TemporaryFailure', 'TemporaryFailure'])
    })

    it(`gives all recipients the outcome of a refused MAIL, not that of their RCPT, with extensions [${extensions}]`, async () => {
      const answer = (line: string) => {
        if (line.startsWith('MAIL')) return '451 4.7.1 greylisted'
        return /^(?:RCPT|DATA)/.test(line) ? '503 5.5.1 need MAIL command' : undefined
      }
      const { outcomes } = await sendTo({ extensions, answer }, { ...clear(), addresses: three })
      const results = three
        .map((address) => outcomes.get(address))
        .map((each) => [each?.outcome, each?.reply.enhanced])
      assert.deepEqual(results, Array(3).fill(['TemporaryFailure', '4.7.1']))
    })

    it(`gives a refused recipient its own outcome when the message is refused too, with extensions [${extensions}]`, async () => {
      const answer = (line: string) =>
        line.startsWith('RCPT TO:<one@') ? '550 5.1.1 no such user' : undefined
      const behaviour = { extensions, answer, answerToMessage: '451 4.3.0 disk full' }
      const { outcomes } = await sendTo(behaviour, { ...clear(), addresses: three })
      const results = three.map((address) => outcomes.get(address)?.reply.enhanced)
      assert.deepEqual(results, ['5.1.1', '4.3.0', '4.3.0'])
    })
  }

  const refusals: [string, PartnerOptions, string, string][] = [
    [
      'MAIL',
      { answer: (line) => (line.startsWith('MAIL') ? '550 5.7.1 not you' : undefined) },
      'PermanentFailure',
      '550 5.7.1 not you',
    ],
    [
      'MAIL',
      { answer: (line) => (line.startsWith('MAIL') ? '451 4.7.1 later' : undefined) },
      'TemporaryFailure',
      '451 4.7.1 later',
    ],
    [
      'DATA',
      { answer: (line) => (line === 'DATA' ? '554 5.5.0 no' : undefined) },
      'PermanentFailure',
      '554 5.5.0 no',
    ],
    ['the message', { answerToMessage: '554 5.7.1 spam' }, 'PermanentFailure', '554 5.7.1 spam'],
    [
      'the message',
      { answerToMessage: '421 4.3.2 shutting down' },
      'TemporaryFailure',
      '421 4.3.2 shutting down',
    ],
    ['the message', { answerToMessage: '550 no enhanced code' }, 'PermanentFailure', '550 no enhanced code'],
    [
      'the message',
      { answerToMessage: '554-5.7.1 two\r\n554 5.7.1 lines' },
      'PermanentFailure',
      '554 5.7.1 two lines',
    ],
    [
      'the message',
      { answerToMessage: '999 nonsense' },
      'TemporaryFailure',
      '451 4.5.0 Next hop did not speak SMTP: 999 nonsense',
    ],
  ]
  for (const [condition, behaviour, outcomeName, text] of refusals) {
    it(`ends in ${outcomeName} when the reply to ${condition} is ${text}`, async () => {
      const { outcome } = await sendOne(behaviour, clear())
      assert.equal(outcome.outcome, outcomeName)
      assert.equal(formatReply(outcome.reply), text)
    })
  }

  it('warns of a second copy when the connection ends after the message and before its reply', async () => {
    const { outcome, partner } = await sendOne({ answerToMessage: null }, clear())
    assert.equal(outcome.outcome, 'TemporaryFailure')
    assert.match(formatReply(outcome.reply), /^451 4\.4\.318 .*may arrive twice$/)
    assert.equal(outcome.unanswered, true)
    assert.equal(partner.received.length, 1)
  })

  for (const [condition, answer] of [
    ['refused', '550 5.1.1 no'],
    ['deferred', '451 4.2.1 later'],
  ] as const)
    it(`does not warn of a second copy for a recipient that was ${condition} at RCPT`, async () => {
      const behaviour: PartnerOptions = {
        answerToMessage: null,
        answer: (line) => (line.startsWith('RCPT TO:<two@') ? answer : undefined),
      }
      const { outcomes } = await sendTo(behaviour, { ...clear(), addresses: three.slice(0, 2) })
      assert.deepEqual(
        [...outcomes.values()].map(({ unanswered }) => unanswered ?? false),
        [true, false],
      )
    })

  for (const [condition, behaviour] of [
    ['before the message', { answer: (command: string) => (command === 'DATA' ? null : undefined) }],
    ['with a reply to the message', { answerToMessage: '451 4.3.0 later' }],
  ] as const)
    it(`does not warn of a second copy when the attempt ends ${condition}`, async () => {
      const { outcome } = await sendOne(behaviour, clear())
      assert.deepEqual([outcome.outcome, outcome.unanswered], ['TemporaryFailure', undefined])
    })

  it('is Delivered when replies have 1000 and 2000 lines', async () => {
    const wordy = (lines: number) => `${'250-2.1.0 word\r\n'.repeat(lines)}250 2.1.0 OK`
    const answer = (line: string) => (line.startsWith('RCPT') ? wordy(1000) : undefined)
    const { outcomes } = await sendTo(
      { answer, answerToMessage: wordy(2000) },
      { ...clear(), addresses: three },
    )
    assert.deepEqual(
      three.map((address) => outcomes.get(address)?.outcome),
      ['Delivered', 'Delivered', 'Delivered'],
    )
  })

  it('does not try another host after the reply to the message, even a temporary refusal', async () => {
    await withPartner({ answerToMessage: '451 4.3.0 later' }, (first) =>
      withPartner({}, async (second) => {
        const hosts = [first, second].map(({ port }) => ({ host: smartHost, port }))
        const outcomes = await send(hosts, clear())
        assert.equal(outcomes.get('b@partner.example')?.outcome, 'TemporaryFailure')
        assert.equal(second.connections(), 0)
      }),
    )
  })

  const bodies: [string, Buffer, Buffer?][] = [
    [
      'of a message with lines that begin with dots',
      Buffer.from('A: b\r\n\r\n.\r\n..\r\n.hidden\r\n...\r\n'),
    ],
    ['of a message that begins with a dot', Buffer.from('.A: b\r\n\r\nx\r\n')],
    [
      'of a message with octets above 127',
      Buffer.concat([Buffer.from('A: b\r\n\r\n'), Buffer.from([0x80, 0xff, 0xe9, 0x0d, 0x0a])]),
    ],
    [
      'and a CRLF of a message without CRLF at its end',
      Buffer.from('A: b\r\n\r\nx'),
      Buffer.from('A: b\r\n\r\nx\r\n'),
    ],
    [
      'of a message with dots on both sides of a 64 KiB boundary',
      Buffer.from(`${'x'.repeat(65_533)}\r\n..\r\n.\r\n`),
    ],
    ['of a message with a CRLF across a 64 KiB boundary', Buffer.from(`${'x'.repeat(65_535)}\r\n.y\r\n`)],
    ['of a message of half a megabyte', Buffer.from(`A: b\r\n\r\n${'0123456789.\r\n'.repeat(40_000)}`)],
  ]
  for (const [condition, octets, expected = octets] of bodies) {
    it(`sends exactly the stored octets ${condition}`, async () => {
      const { outcome, partner } = await sendOne(
        { tls: certificates.good ?? {} },
        { tls: requirement('DomainValidation'), octets },
      )
      assert.equal(outcome.outcome, 'Delivered', formatReply(outcome.reply))
      assert.ok(partner.received[0]?.content.equals(expected))
    })
  }

  const envelopes: [string, Partial<Envelope>, Partial<Recipient>, Buffer, string, string][] = [
    [
      'the size',
      {},
      {},
      content,
      `MAIL FROM:<a@elsewhere.example> SIZE=${content.length}`,
      'RCPT TO:<b@partner.example>',
    ],
    [
      'the null reverse path',
      { mailFrom: '' },
      {},
      content,
      `MAIL FROM:<> SIZE=${content.length}`,
      'RCPT TO:<b@partner.example>',
    ],
    [
      'BODY and SMTPUTF8 for a header field in UTF-8',
      { smtpUtf8: true, eightBitMime: true },
      {},
      Buffer.from('Subject: Grüße\r\n\r\nx\r\n'),
      'MAIL FROM:<a@elsewhere.example> SIZE=23 BODY=8BITMIME SMTPUTF8',
      'RCPT TO:<b@partner.example>',
    ],
    [
      'SMTPUTF8 for an address in UTF-8',
      { smtpUtf8: true },
      { address: 'jörg@partner.example' },
      content,
      `MAIL FROM:<a@elsewhere.example> SIZE=${content.length} SMTPUTF8`,
      'RCPT TO:<jörg@partner.example>',
    ],
    [
      'the DSN parameters',
      { dsn: { ret: 'HDRS', envid: 'id+1=x y' } },
      { notify: ['FAILURE', 'DELAY'], orcpt: 'rfc822;b+2Bc@partner.example' },
      content,
      `MAIL FROM:<a@elsewhere.example> SIZE=${content.length} RET=HDRS ENVID=id+2B1+3Dx+20y`,
      'RCPT TO:<b@partner.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b+2Bc@partner.example',
    ],
  ]
  for (const [condition, envelope, fields, octets, mail, rcpt] of envelopes) {
    it(`passes ${condition} to the next hop`, async () => {
      const recipients = [recipient({ address: 'b@partner.example', ...fields })]
      const { partner } = await sendTo({}, { ...clear(), envelope, recipients, octets })
      assert.deepEqual([partner.received[0]?.mail, partner.received[0]?.recipients], [mail, [rcpt]])
    })
  }

  it('sends each recipient its own DSN parameters in one transaction', async () => {
    const recipients = [
      recipient({ address: 'b@partner.example', notify: ['NEVER'] }),
      recipient({ address: 'c@partner.example', orcpt: 'rfc822;c@list.example' }),
    ]
    const { partner } = await sendTo({}, { ...clear(), recipients })
    assert.deepEqual(
      partner.received.map(({ recipients: taken }) => taken),
      [
        [
          'RCPT TO:<b@partner.example> NOTIFY=NEVER',
          'RCPT TO:<c@partner.example> ORCPT=rfc822;c@list.example',
        ],
      ],
    )
  })

  for (const [extensions, passedOn] of [
    [['DSN'], true],
    [[], false],
  ] as const)
    it(`has dsnPassedOn ${passedOn} in its outcome when the partner announces ${passedOn ? 'DSN' : 'no DSN'}`, async () => {
      const recipients = [recipient({ address: 'b@partner.example', notify: ['SUCCESS'] })]
      const { outcome, partner } = await sendOne({ extensions: [...extensions] }, { ...clear(), recipients })
      assert.equal(outcome.dsnPassedOn, passedOn)
      assert.equal(/NOTIFY=SUCCESS/.test(String(partner.received[0]?.recipients)), passedOn)
    })

  const missing: [string, string[], Partial<Envelope>, string[], Buffer, string][] = [
    ['SMTPUTF8', [], { smtpUtf8: true }, ['jörg@partner.example'], content, '550 5.6.7'],
    ['8BITMIME', [], {}, ['b@partner.example'], Buffer.from('A: b\r\n\r\né\r\n'), '554 5.6.3'],
    ['enough SIZE', ['SIZE 10'], {}, ['b@partner.example'], content, '552 5.3.4'],
    ['REQUIRETLS', [], { requireTls: true }, ['b@partner.example'], content, '550 5.7.30'],
  ]
  for (const [condition, extensions, envelope, addresses, octets, code] of missing) {
    it(`ends in PermanentFailure with ${code}, before MAIL, when the partner lacks ${condition}`, async () => {
      const behaviour = { extensions, tls: certificates.good ?? {} }
      const { outcome, partner } = await sendOne(behaviour, { ...clear(), envelope, addresses, octets })
      assert.equal(outcome.outcome, 'PermanentFailure')
      assert.ok(formatReply(outcome.reply).startsWith(code), formatReply(outcome.reply))
      assert.doesNotMatch(partner.commands.join(), /MAIL FROM/)
    })
  }

  it('sends a REQUIRETLS message only over verified TLS, even under an opportunistic connector', async () => {
    const envelope = { requireTls: true }
    const extensions = ['REQUIRETLS']
    const good = await sendOne({ tls: certificates.good ?? {}, extensions }, { ...clear(), envelope })
    assert.equal(good.outcome.tls?.verified, true)
    assert.match(good.partner.received[0]?.mail ?? '', / REQUIRETLS$/)
    const bad = await sendOne({ tls: certificates.selfSigned ?? {}, extensions }, { ...clear(), envelope })
    assert.equal(bad.outcome.outcome, 'TlsNotMet')
    const none = await sendOne({ extensions }, { ...clear(), envelope })
    assert.equal(none.outcome.outcome, 'TlsNotMet')
    assert.doesNotMatch(none.wire, /MAIL FROM/)
  })

  it('ends in PermanentFailure, without a connection, for a sender address that could end its command', async () => {
    const { outcome, partner } = await sendOne(
      {},
      { ...clear(), envelope: { mailFrom: 'a@x> BODY=BINARYMIME' } },
    )
    assert.deepEqual([outcome.outcome, outcome.reply.enhanced], ['PermanentFailure', '5.1.7'])
    assert.equal(partner.connections(), 0)
  })

  it('ends in PermanentFailure for recipient addresses that could end their command, and delivers to other recipients', async () => {
    const bad = [
      'b>\r\nDATA@partner.example',
      'b@partner.example> NOTIFY=NEVER',
      'b\0@partner.example',
      ' b@partner.example',
    ]
    const { outcomes, partner } = await sendTo({}, { ...clear(), addresses: [...bad, 'c@partner.example'] })
    assert.deepEqual(
      [...outcomes.values()].map(({ outcome }) => outcome),
      [...bad.map(() => 'PermanentFailure'), 'Delivered'],
    )
    assert.deepEqual(partner.received[0]?.recipients, ['RCPT TO:<c@partner.example>'])
  })
})

describe('a next hop that fails', () => {
  const tls = () => requirement('Opportunistic')

  it('leads to the code 4.4.316 when it refuses the connection', async () => {
    const port = await withPartner({}, async (partner) => partner.port)
    const outcomes = await send([{ host: smartHost, port }], { tls: tls() })
    const outcome = outcomes.get('b@partner.example')
    assert.equal(outcome?.reply.enhanced, '4.4.316')
    assert.deepEqual([outcome?.host, outcome?.ip, outcome?.tls], [smartHost, '127.0.0.1', null])
  })

  const openings: [string, PartnerOptions, string, string][] = [
    ['greets with 421', { greeting: '421 4.3.2 busy' }, 'TemporaryFailure', '421 4.3.2 busy'],
    ['greets with 554', { greeting: '554 5.3.2 no SMTP here' }, 'PermanentFailure', '554 5.3.2 no SMTP here'],
    [
      'uses another protocol',
      { greeting: 'SSH-2.0-OpenSSH' },
      'TemporaryFailure',
      '451 4.5.0 Next hop did not speak SMTP: SSH-2.0-OpenSSH',
    ],
    [
      'closes at EHLO',
      { answer: (line) => (line.startsWith('EHLO') ? null : undefined) },
      'TemporaryFailure',
      '451 4.4.318 Connection closed by the next hop: ECONNECTION',
    ],
    [
      'closes at MAIL',
      { answer: (line) => (line.startsWith('MAIL') ? null : undefined) },
      'TemporaryFailure',
      '451 4.4.318 Connection closed by the next hop: ECONNECTION',
    ],
  ]
  for (const [does, behaviour, outcomeName, text] of openings) {
    it(`leads to ${outcomeName} when it ${does}`, async () => {
      const { outcome } = await sendOne(behaviour, { tls: tls() })
      assert.deepEqual([outcome.outcome, formatReply(outcome.reply)], [outcomeName, text])
    })
    if (!does.endsWith('MAIL')) {
      it(`leads to a delivery to the next host when it ${does}`, async () => {
        await withPartner(behaviour, (first) =>
          withPartner({}, async (second) => {
            const outcomes = await send(
              [first, second].map(({ port }) => ({ host: smartHost, port })),
              { tls: tls() },
            )
            assert.equal(outcomes.get('b@partner.example')?.outcome, 'Delivered')
          }),
        )
      })
    }
  }

  for (const flood of ['\n', '220-x\r\n', 'x']) {
    it(`leads to TemporaryFailure when its greeting is two million times ${JSON.stringify(flood)}`, async () => {
      const { outcome } = await sendOne({ greeting: flood.repeat(2_000_000) }, { tls: tls() })
      assert.equal(outcome.outcome, 'TemporaryFailure')
      assert.match(outcome.reply.enhanced, /^4\.4\.318$|^4\.5\.0$/)
    })
  }

  it("leads to at most one line of 500 characters in the outcome's reply when its reply is longer", async () => {
    const refuseStartTls = `${'454-4.7.0 no TLS today\r\n'.repeat(1000)}454 4.7.0 ${'x'.repeat(1000)}`
    const behaviour = { tls: { cert: '', key: '' }, refuseStartTls }
    const { outcome } = await sendOne(behaviour, { tls: requirement('EncryptionOnly') })
    assert.equal(outcome.outcome, 'TlsNotMet')
    assert.match(outcome.reply.text, /^[ -~]{100,500}$/)
  })

  it('leads to the code 4.4.315 when it does not reply to a command', async () => {
    const timeouts = { ...defaultTimeouts, command: 50 }
    const answer = (line: string) => (line.startsWith('MAIL') ? '' : undefined)
    const { outcome } = await sendOne({ extensions: [], answer }, { tls: tls(), options: { timeouts } })
    assert.equal(outcome.reply.enhanced, '4.4.315')
  })

  it('leads to the code 4.4.315 when the attempt times out after DATA', async () => {
    const abort = new AbortController()
    const answer = (line: string) => {
      if (line === 'DATA') abort.abort()
      return undefined
    }
    const { outcome } = await sendOne({ answer }, { tls: tls(), options: { signal: abort.signal } })
    assert.deepEqual([outcome.outcome, outcome.reply.enhanced], ['TemporaryFailure', '4.4.315'])
  })

  it('leads to the code 4.4.312 when the query for its address fails', async () => {
    const fails = fakeResolver({ fail: { [smartHost]: 'ESERVFAIL' } })
    const outcomes = await send([{ host: smartHost, port: 25 }], { tls: tls(), options: { resolver: fails } })
    const outcome = outcomes.get('b@partner.example')
    assert.deepEqual(
      [outcome?.outcome, outcome?.reply.enhanced, outcome?.host],
      ['TemporaryFailure', '4.4.312', null],
    )
  })
})

describe('the outcome of attempts at several hosts', () => {
  const failure = (outcome: Outcome['outcome'], host: string): Outcome => ({ ...attempt({ outcome, host }) })
  const rows: [string, Outcome[], string][] = [
    [
      'TlsNotMet when another host has a temporary failure',
      [failure('TlsNotMet', 'a'), failure('TemporaryFailure', 'b')],
      'a',
    ],
    [
      'the temporary failure when another host has a permanent failure',
      [failure('TemporaryFailure', 'a'), failure('PermanentFailure', 'b')],
      'a',
    ],
    [
      'the last of several permanent failures',
      [failure('PermanentFailure', 'a'), failure('PermanentFailure', 'b')],
      'b',
    ],
  ]
  for (const [condition, failures, host] of rows) {
    it(`is ${condition}`, () => assert.equal(selectOutcome(failures).host, host))
  }
})

describe('the facts of an attempt for its event', () => {
  const tlsFacts = ({ tls, nextHops, requiredTlsVersion, tlsRequiredNo }: Outcome) => ({
    ...tls?.certificate,
    issuer: undefined,
    nextHops,
    requiredTlsVersion,
    tlsRequiredNo,
  })

  it('have the trust anchors of the connector, the version that it requires, and a common name', async () => {
    const identity = await pki.issue({ names: [], commonName: smartHost })
    const tls = requirement('DomainValidation', { minimumTlsVersion: 'TLSv1.3' })
    const { outcomes } = await sendTo({ tls: identity }, { tls })
    const [outcome = assert.fail('no outcome')] = outcomes.values()
    assert.equal(outcome.outcome, 'Delivered')
    assert.deepEqual(tlsFacts(outcome), {
      names: [],
      commonName: smartHost,
      issuer: undefined,
      verdict: 'trusted',
      trustAnchors: trustAnchorsDigest([pki.ca]),
      nextHops: undefined,
      requiredTlsVersion: 'TLSv1.3',
      tlsRequiredNo: undefined,
    })
  })

  it('have the number of next hops, and that TLS-Required: No was in the message', async () => {
    const tls = requirement('Opportunistic', { certificateAuthorities: [], minimumTlsVersion: 'TLSv1.3' })
    const octets = Buffer.from('TLS-Required: No\r\n\r\ntext\r\n')
    await withPartner({ tls: certificates.good ?? {} }, async ({ port }) => {
      const hosts = [smartHost, '127.0.0.1'].map((host) => ({ host, port }))
      const [outcome = assert.fail('no outcome')] = (await send(hosts, { tls, octets })).values()
      assert.deepEqual(tlsFacts(outcome), {
        names: [smartHost],
        issuer: undefined,
        verdict: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
        nextHops: 2,
        requiredTlsVersion: undefined,
        tlsRequiredNo: true,
      })
    })
  })
})
