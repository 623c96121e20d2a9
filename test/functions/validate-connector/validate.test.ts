import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import type { SecureContextOptions } from 'node:tls'
import { composeTestMessage } from '../../../functions/validate-connector/test-message.ts'
import type { OutboundConnector } from '../../../shared/connectors/schema.ts'
import { deliverOverSmtp } from '../../../shared/net/smtp-delivery.ts'
import { requirementOf, routeOf } from '../../../shared/policy/outbound.ts'
import { startBlackHole } from '../../support/black-hole.ts'
import { fakeResolver, silentResolver } from '../../support/dns.ts'
import { certificateDigest } from '../../support/hostile-certificates.ts'
import { createPki, daysFromNow, type Pki } from '../../support/pki.ts'
import { type Partner, type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'
import {
  detailOf,
  listSteps,
  longTimeouts,
  options,
  runValidation,
  shortTimeouts,
  smartHost,
  testMessage,
  toPartners,
} from '../../support/validation.ts'
import { within } from '../../support/within.ts'

let pki: Pki
const tls: Record<'good' | 'wrongName' | 'expired' | 'untrusted' | 'old', SecureContextOptions> = {} as never

before(async () => {
  pki = await createPki()
  const otherAuthority = await createPki('Another authority')
  tls.good = await pki.issue({ names: [smartHost, 'also.partner.example'] })
  tls.wrongName = await pki.issue({ names: ['mx.other.example'] })
  tls.expired = await pki.issue({
    names: [smartHost],
    notBefore: daysFromNow(-30),
    notAfter: daysFromNow(-1),
  })
  tls.untrusted = await otherAuthority.issue({ names: [smartHost] })
  tls.old = { ...tls.good, maxVersion: 'TLSv1.2' }
})

async function withPartners<T>(
  behaviours: readonly PartnerOptions[],
  use: (...partners: Partner[]) => Promise<T>,
): Promise<T> {
  const partners = await Promise.all(behaviours.map((behaviour) => startPartner(behaviour)))
  try {
    return await use(...partners)
  } finally {
    await Promise.all(partners.map((partner) => partner.stop()))
  }
}

const forcedTls = (fields: Partial<OutboundConnector> = {}): Partial<OutboundConnector> => ({
  tlsSettings: 'DomainValidation',
  tlsDomain: '*.partner.example',
  certificateAuthorities: [pki.ca],
  ...fields,
})

const validateOne = (
  behaviour: PartnerOptions,
  fields: Partial<OutboundConnector>,
  changes: Parameters<typeof runValidation>[1] = {},
) =>
  withPartners([behaviour], async (partner) => ({
    validation: await runValidation(toPartners([partner], fields), changes),
    partner,
  }))

const passed = 'Resolve Connect Ehlo StartTls Certificate TestMail'

describe('the validation of a connector with smtpDaneMode Mandatory', () => {
  const validateDane = (tlsa: boolean, fields: Partial<OutboundConnector> = {}) =>
    withPartners([{ tls: tls.good }], async (partner) => {
      const tlsaName = `_${partner.port}._tcp.${smartHost}`
      const resolver = fakeResolver({
        a: { [smartHost]: ['127.0.0.1'] },
        tlsa: tlsa ? { [tlsaName]: [[3, 0, 1, certificateDigest(String(tls.good.cert))]] } : {},
        secure: [smartHost, tlsaName],
      })
      const connector = toPartners([partner], { smtpDaneMode: 'Mandatory', ...fields })
      const validation = await runValidation(connector, { smtp: { resolver } })
      return { validation, connections: partner.connections() }
    })

  it('passes with TLSA records that match the certificate', async () => {
    const { validation } = await validateDane(true)
    assert.equal(listSteps(validation), passed)
    assert.match(
      detailOf(validation, 'Certificate') ?? '',
      /^A TLSA record of mx\.partner\.example matches it/,
    )
  })

  it('reports each requirement of the certificate', async () => {
    const { validation } = await validateDane(true, forcedTls())
    assert.equal(listSteps(validation), passed)
    assert.match(
      detailOf(validation, 'Certificate') ?? '',
      /^Trusted, and its name matches .*\. A TLSA record of mx\.partner\.example matches it/,
    )
  })

  it('fails before a connection without TLSA records, with the reply of a delivery', async () => {
    const { validation, connections } = await validateDane(false)
    assert.equal(listSteps(validation), 'Resolve !Resolve !TestMail')
    assert.match(
      validation.steps[1]?.detail ?? '',
      /^451 4\.7\.323 smtpDaneMode is Mandatory, but mx\.partner\.example has no TLSA records/,
    )
    assert.equal(connections, 0)
  })
})

describe('the validation of a connector whose partner meets the requirement', () => {
  it('passes every step, and reports the TLS session and the certificate', async () => {
    const { validation, partner } = await validateOne({ tls: tls.good }, forcedTls())
    assert.equal(listSteps(validation), passed)
    assert.equal(validation.succeeded, true)
    const [resolve, connect, , startTls, certificate, mail] = validation.steps
    assert.deepEqual([resolve?.host, resolve?.detail], [smartHost, '127.0.0.1'])
    assert.deepEqual(
      [connect?.host, connect?.ip, connect?.detail],
      [smartHost, '127.0.0.1', `Connected to 127.0.0.1, port ${partner.port}`],
    )
    const session = { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', group: 'X25519MLKEM768' }
    assert.deepEqual([startTls?.tls, mail?.tls], [session, session])
    const [leaf, ...others] = certificate?.certificates ?? []
    assert.deepEqual(leaf?.subjectAltNames, [smartHost, 'also.partner.example'])
    assert.deepEqual([leaf?.subject, leaf?.issuer], [`CN=${smartHost}`, 'CN=Test CA'])
    assert.match(leaf?.fingerprint256 ?? '', /^[0-9a-f]{64}$/)
    assert.equal(others.length, 0, 'the partner presented no more')
    assert.equal(
      certificate?.detail,
      `Trusted, and its name matches *.partner.example; valid until ${leaf?.notAfter}; revocation: not revoked`,
    )
    assert.equal(mail?.detail, 'postmaster@northwind.example: 250 2.0.0 taken')
  })

  it('passes when revocation is undetermined, and reports that', async () => {
    const checkRevocation = async () => ({ status: 'Unknown' as const, detail: 'no response' })
    const { validation } = await validateOne({ tls: tls.good }, forcedTls(), { smtp: { checkRevocation } })
    const [, , , , certificate] = validation.steps
    assert.equal(certificate?.succeeded, true)
    assert.match(certificate?.detail ?? '', /; revocation: undetermined \(no response\)$/)
  })

  it('reports the duration of each step', async () => {
    const answer = (line: string) => {
      if (line.startsWith('EHLO')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60)
      return undefined
    }
    const { validation } = await validateOne({ tls: tls.good, answer }, forcedTls())
    const [, , ehlo, startTls] = validation.steps
    assert.ok((ehlo?.durationMs ?? 0) >= 60, `EHLO took ${ehlo?.durationMs}`)
    assert.ok((startTls?.durationMs ?? 0) >= 60, `STARTTLS, with EHLO over TLS, took ${startTls?.durationMs}`)
    assert.ok(validation.durationMs >= 180, `${validation.durationMs}`)
  })

  it('sends one test message, which names the connector and the purpose', async () => {
    const { partner } = await validateOne({ tls: tls.good }, forcedTls({ name: 'Größe "N"' }))
    assert.equal(partner.received.length, 1)
    const [received] = partner.received
    assert.match(received?.mail ?? '', /^MAIL FROM:<mailflow-validation@ours\.example>/)
    assert.deepEqual(received?.recipients, ['RCPT TO:<postmaster@northwind.example>'])
    assert.equal(received?.tls?.serverName, smartHost)
    const text = received?.content.toString() ?? ''
    for (const field of [
      /^From: mailflow validation <mailflow-validation@ours\.example>\r$/m,
      /^To: postmaster@northwind\.example\r$/m,
      /^Subject: =\?UTF-8\?Q\?Test_of_the_outbound_connector_Gr=C3=B6/m,
      /^Date: Tue, 03 Feb 2026 12:00:00 \+0000\r$/m,
      /^Message-ID: <[0-9A-Z]{26}@mail\.ours\.example>\r$/m,
      /^Auto-Submitted: auto-generated\r$/m,
      /^MIME-Version: 1\.0\r$/m,
    ])
      assert.match(text, field)
    assert.match(text.replace(/=\r\n/g, ''), /outbound connector Gr=C3=B6=C3=9Fe "N" \(id-/)
    assert.ok(text.split('\r\n').every((line) => line.length <= 998 && !line.includes('\n')))
  })
})

describe('the validation of a connector', () => {
  const faults: {
    does: string
    behaviour: () => PartnerOptions
    fields?: Partial<OutboundConnector>
    expected: string
    expectedText: RegExp
  }[] = [
    {
      does: 'offers no STARTTLS',
      behaviour: () => ({}),
      expected: 'Resolve Connect Ehlo !StartTls !TestMail',
      expectedText: /^451 4\.7\.321 STARTTLS is required but not available: 502 5\.5\.1 not here$/,
    },
    {
      does: 'refuses STARTTLS',
      behaviour: () => ({ tls: tls.good, refuseStartTls: '454 4.7.0 not now' }),
      expected: 'Resolve Connect Ehlo !StartTls !TestMail',
      expectedText: /^451 4\.7\.321 .*: 454 4\.7\.0 not now$/,
    },
    {
      does: 'breaks the handshake',
      behaviour: () => ({ tls: tls.good, breakHandshake: true }),
      expected: 'Resolve Connect Ehlo !StartTls !TestMail',
      expectedText: /^451 4\.7\.5 TLS handshake failed: /,
    },
    {
      does: 'has only TLS 1.2, and minimumTlsVersion is TLSv1.3',
      behaviour: () => ({ tls: tls.old }),
      fields: { minimumTlsVersion: 'TLSv1.3' },
      expected: 'Resolve Connect Ehlo !StartTls !TestMail',
      expectedText: /^451 4\.7\.5 /,
    },
    {
      does: 'has a certificate for another name',
      behaviour: () => ({ tls: tls.wrongName }),
      expected: 'Resolve Connect Ehlo StartTls !Certificate !TestMail',
      expectedText: /^451 4\.7\.325 Certificate is for mx\.other\.example, not for \*\.partner\.example$/,
    },
    {
      does: 'has an expired certificate',
      behaviour: () => ({ tls: tls.expired }),
      expected: 'Resolve Connect Ehlo StartTls !Certificate !TestMail',
      expectedText: /^451 4\.7\.322 Certificate is out of date: CERT_HAS_EXPIRED$/,
    },
    {
      does: 'has a certificate of another authority',
      behaviour: () => ({ tls: tls.untrusted }),
      expected: 'Resolve Connect Ehlo StartTls !Certificate !TestMail',
      expectedText: /^451 4\.7\.320 Certificate is not trusted: /,
    },
    {
      does: 'refuses the session at the greeting',
      behaviour: () => ({ greeting: '554 5.7.1 you are on a list' }),
      expected: 'Resolve Connect !Ehlo !TestMail',
      expectedText: /^The greeting failed: 554 5\.7\.1 you are on a list$/,
    },
    {
      does: 'refuses EHLO',
      behaviour: () => ({ answer: (line) => (line.startsWith('EHLO') ? '502 5.5.1 what?' : undefined) }),
      expected: 'Resolve Connect !Ehlo !TestMail',
      expectedText: /^EHLO failed: 451 4\.7\.321 .*502 5\.5\.1 what\?$/,
    },
    {
      does: 'refuses the recipient',
      behaviour: () => ({
        tls: tls.good,
        answer: (line) => (line.startsWith('RCPT') ? '550 5.1.1 No such user here' : undefined),
      }),
      expected: 'Resolve Connect Ehlo StartTls Certificate !TestMail',
      expectedText: /^postmaster@northwind\.example: 550 5\.1\.1 No such user here$/,
    },
  ]
  for (const { does, behaviour, fields, expected, expectedText } of faults)
    for (const mode of ['Enforce', 'ReportOnly'] as const)
      it(`fails with the steps "${expected}" in mode ${mode} when the partner ${does}`, async () => {
        const { validation, partner } = await validateOne(behaviour(), forcedTls({ ...fields, mode }))
        assert.equal(listSteps(validation), expected)
        assert.equal(validation.succeeded, false)
        assert.match(validation.steps.find(({ succeeded }) => !succeeded)?.detail ?? '', expectedText)
        assert.equal(partner.received.length, 0)
        const clear = partner.wire().toString('latin1')
        assert.doesNotMatch(clear, /MAIL FROM|DATA/, 'nothing of a message in the clear')
      })

  it('shows the certificate of the partner when it is for another name', async () => {
    const { validation } = await validateOne({ tls: tls.wrongName }, forcedTls())
    const certificate = validation.steps.find(({ step }) => step === 'Certificate')
    assert.deepEqual(certificate?.certificates[0]?.subjectAltNames, ['mx.other.example'])
  })

  it('fails when the partner refuses one of two recipients, and reports both replies', async () => {
    const answer = (line: string) => (line.includes('<b@') ? '550 5.1.1 unknown' : undefined)
    const recipients = ['a@northwind.example', 'b@northwind.example']
    await withPartners([{ tls: tls.good, answer }], async (partner) => {
      const validation = await runValidation(
        toPartners([partner], forcedTls()),
        {},
        { ...testMessage, recipients },
      )
      assert.equal(listSteps(validation), 'Resolve Connect Ehlo StartTls Certificate !TestMail')
      assert.equal(
        detailOf(validation, 'TestMail'),
        'b@northwind.example: 550 5.1.1 unknown; a@northwind.example: 250 2.0.0 taken',
      )
    })
  })

  it('quotes a very long reply of the partner in one line of at most 300 characters', async () => {
    const greeting = `${'554-5.7.1 no mail today\r\n'.repeat(1000)}554 5.7.1 \u{1f4ec}${'x'.repeat(1000)}`
    const { validation } = await validateOne({ greeting }, forcedTls())
    const detail = detailOf(validation, 'Ehlo') ?? ''
    assert.ok(detail.length <= 300 && detail.isWellFormed() && !/\p{Cc}/u.test(detail), detail)
  })
})

describe('the validation of a connector whose partner has a revoked certificate', () => {
  const reportRevoked = async () => ({
    status: 'Revoked' as const,
    detail: 'revoked on 2026-03-04: keyCompromise',
  })

  it('fails in the step Certificate, and sends no test message', async () => {
    const { validation, partner } = await validateOne({ tls: tls.good }, forcedTls(), {
      smtp: { checkRevocation: reportRevoked },
    })
    assert.equal(validation.succeeded, false)
    const certificate = validation.steps.find(({ step }) => step === 'Certificate')
    assert.equal(certificate?.succeeded, false)
    assert.equal(
      certificate?.detail,
      '451 4.7.320 Certificate is revoked: revoked on 2026-03-04: keyCompromise',
    )
    assert.deepEqual(partner.received, [])
  })

  it('passes when revocationCheck is None', async () => {
    const { validation } = await validateOne({ tls: tls.good }, forcedTls({ revocationCheck: 'None' }), {
      smtp: { checkRevocation: reportRevoked },
    })
    assert.equal(validation.succeeded, true)
  })
})

describe('the validation of a connector whose partner stops responding', { concurrency: true }, () => {
  const stalls: { at: PartnerOptions['silentAt']; expected: string; expectedText: RegExp }[] = [
    {
      at: 'greeting',
      expected: 'Resolve Connect !Ehlo !TestMail',
      expectedText: /^The greeting failed: .*timed out/,
    },
    { at: 'EHLO', expected: 'Resolve Connect !Ehlo !TestMail', expectedText: /^EHLO failed: .*timed out/ },
    { at: 'STARTTLS', expected: 'Resolve Connect Ehlo !StartTls !TestMail', expectedText: /ETIMEDOUT/ },
    {
      at: 'handshake',
      expected: 'Resolve Connect Ehlo !StartTls !TestMail',
      expectedText: /handshake failed: ETIMEDOUT/,
    },
  ]
  for (const { at, expected, expectedText } of stalls) {
    it(`at ${at} fails after the timeout of the step`, async () => {
      const behaviour: PartnerOptions = { tls: tls.good, ...(at && { silentAt: at }) }
      const validating = validateOne(behaviour, forcedTls(), { smtp: { timeouts: shortTimeouts } })
      const { validation } = await within(30_000, validating, 'the validation')
      assert.equal(listSteps(validation), expected)
      const failedStep = validation.steps.find(({ succeeded }) => !succeeded)
      assert.match(failedStep?.detail ?? '', expectedText)
      assert.ok((failedStep?.durationMs ?? 0) >= 900, `${failedStep?.durationMs}`)
    })

    it(`at ${at} fails after limits.probeMs, the time for the steps before the test message`, async () => {
      const behaviour: PartnerOptions = { tls: tls.good, ...(at && { silentAt: at }) }
      const { validation } = await validateOne(behaviour, forcedTls(), { limits: { probeMs: 1_500 } })
      assert.equal(listSteps(validation), expected)
      const failedStep = validation.steps.find(({ succeeded }) => !succeeded)
      assert.match(failedStep?.detail ?? '', /; it timed out$/)
    })
  }

  it('at the TCP connection fails, and the test message goes to the other host', async (context) => {
    const hole = await startBlackHole()
    context.after(() => hole.stop())
    await withPartners([{ tls: tls.good }], async (partner) => {
      const connector = toPartners([hole, partner], forcedTls())
      const validation = await runValidation(connector, {
        smtp: { timeouts: { ...longTimeouts, connect: shortTimeouts.connect } },
      })
      assert.equal(
        listSteps(validation),
        'Resolve !Connect Resolve Connect Ehlo StartTls Certificate TestMail',
      )
      assert.equal(detailOf(validation, 'Connect'), 'The connection failed: 451 4.4.315 Connection timed out')
      assert.equal(partner.received.length, 1)
    })
  })

  it('at MAIL of the test message fails in the step TestMail', async () => {
    const behaviour: PartnerOptions = { tls: tls.good, silentAt: 'MAIL', extensions: [] }
    const { validation } = await validateOne(behaviour, forcedTls(), { smtp: { timeouts: shortTimeouts } })
    assert.equal(listSteps(validation), 'Resolve Connect Ehlo StartTls Certificate !TestMail')
    assert.match(detailOf(validation, 'TestMail') ?? '', /4\.4\.315/)
  })
})

describe('the validation of a connector whose partner stops responding during the test message', {
  concurrency: true,
}, () => {
  for (const silentAt of ['MAIL', 'message'] as const)
    it(`at ${silentAt === 'message' ? 'the end of data' : silentAt} fails after limits.totalMs, the time for the whole validation`, async () => {
      const behaviour: PartnerOptions = { tls: tls.good, silentAt, extensions: [] }
      const validating = validateOne(behaviour, forcedTls(), { limits: { totalMs: 2_000 } })
      const { validation } = await within(30_000, validating, 'the validation')
      assert.equal(listSteps(validation), 'Resolve Connect Ehlo StartTls Certificate !TestMail')
      assert.match(detailOf(validation, 'TestMail') ?? '', /4\.4\.315 Connection timed out/)
    })
})

describe('the validation of a connector and a delivery under mode Enforce', () => {
  const behaviours: Record<string, () => PartnerOptions> = {
    'has no TLS': () => ({}),
    'refuses STARTTLS': () => ({ tls: tls.good, refuseStartTls: '454 4.7.0 not now' }),
    'breaks the handshake': () => ({ tls: tls.good, breakHandshake: true }),
    'disconnects at STARTTLS': () => ({
      tls: tls.good,
      answer: (line) => (line === 'STARTTLS' ? null : undefined),
    }),
    'sends further replies with the reply to STARTTLS': () => ({
      tls: tls.good,
      injected: '250-x\r\n250 y\r\n',
    }),
    'has a good certificate': () => ({ tls: tls.good }),
    'has only TLS 1.2': () => ({ tls: tls.old }),
    'has a certificate for another name': () => ({ tls: tls.wrongName }),
    'has an expired certificate': () => ({ tls: tls.expired }),
    'has a certificate of another authority': () => ({ tls: tls.untrusted }),
    'requires a client certificate': () => ({
      tls: { ...tls.good, ca: pki.ca },
      requiresClientCertificate: true,
    }),
    'greets with 421': () => ({ greeting: '421 4.3.2 busy' }),
    'refuses the sender': () => ({
      tls: tls.good,
      answer: (line) => (line.startsWith('MAIL') ? '550 5.7.1 not you' : undefined),
    }),
    'refuses the message': () => ({ tls: tls.good, answerToMessage: '554 5.6.0 no' }),
  }
  const levels: Partial<OutboundConnector>[] = [
    { tlsSettings: null, tlsDomain: null },
    { tlsSettings: 'EncryptionOnly', tlsDomain: null },
    { tlsSettings: 'EncryptionOnly', tlsDomain: null, minimumTlsVersion: 'TLSv1.3' },
    { tlsSettings: 'CertificateValidation', tlsDomain: null },
    { tlsSettings: 'DomainValidation' },
  ]
  for (const [does, behaviour] of Object.entries(behaviours))
    it(`have the same result at every TLS level when the partner ${does}`, async () => {
      for (const fields of levels) {
        const connector = (partner: Partner) => toPartners([partner], forcedTls(fields))
        const { validation } = await validateOne(behaviour(), forcedTls({ ...fields, mode: 'ReportOnly' }))
        const delivered = await withPartners([behaviour()], async (partner) => delivery(connector(partner)))
        assert.equal(validation.succeeded, delivered, JSON.stringify(fields))
      }
    })

  async function delivery(connector: OutboundConnector): Promise<boolean> {
    const requirement = requirementOf(connector)
    const mail = await composeTestMessage(connector, requirement, testMessage)
    const { smtp } = options()
    const route = routeOf(connector, 'northwind.example')
    assert.equal(route.kind, 'SmartHosts')
    const outcomes = await deliverOverSmtp(route as Exclude<typeof route, { kind: 'Ses' }>, mail, {
      ...smtp,
      signal: AbortSignal.timeout(10_000),
    })
    return [...outcomes.values()].every(({ outcome }) => outcome === 'Delivered')
  }
})

describe('the validation of a connector with two smart hosts', () => {
  it('reports both, and fails when one has an untrusted certificate, although the other accepts the test message', async () => {
    await withPartners([{ tls: tls.untrusted }, { tls: tls.good }], async (bad, good) => {
      const validation = await runValidation(toPartners([bad, good], forcedTls()))
      assert.equal(
        listSteps(validation),
        'Resolve Connect Ehlo StartTls !Certificate Resolve Connect Ehlo StartTls Certificate TestMail',
      )
      assert.equal(validation.succeeded, false)
      assert.deepEqual([bad.received.length, good.received.length], [0, 1])
    })
  })

  it('sends one test message', async () => {
    await withPartners([{ tls: tls.good }, { tls: tls.good }], async (...partners) => {
      const validation = await runValidation(toPartners(partners, forcedTls()))
      assert.equal(validation.succeeded, true)
      assert.equal(partners.flatMap(({ received }) => received).length, 1)
    })
  })

  it('fails when the name of one has no address', async () => {
    await withPartners([{ tls: tls.good }], async ({ port }) => {
      const smartHosts = [
        { host: 'gone.partner.example', port },
        { host: smartHost, port },
      ]
      const validation = await runValidation(toPartners([], forcedTls({ smartHosts })))
      assert.equal(listSteps(validation), `!Resolve ${passed}`)
      assert.match(detailOf(validation, 'Resolve') ?? '', /^451 4\.4\.312 /)
    })
  })
})

describe('the validation of a connector that accepts any certificate', () => {
  it('passes under EncryptionOnly, and reports why the certificate is not trusted', async () => {
    const fields = forcedTls({ tlsSettings: 'EncryptionOnly', tlsDomain: null })
    const { validation } = await validateOne({ tls: tls.untrusted }, fields)
    assert.equal(listSteps(validation), passed)
    assert.match(
      detailOf(validation, 'Certificate') ?? '',
      /^Any certificate is accepted, because tlsSettings is EncryptionOnly\. It would not be trusted: /,
    )
  })

  const opportunistic: {
    does: string
    behaviour: () => PartnerOptions
    expected: string
    expectedText: RegExp
  }[] = [
    {
      does: 'offers no STARTTLS',
      behaviour: () => ({}),
      expected: 'Resolve Connect Ehlo StartTls TestMail',
      expectedText: /^STARTTLS is not available: mail is sent in the clear, because tlsSettings is null$/,
    },
    {
      does: 'breaks the handshake',
      behaviour: () => ({ tls: tls.good, breakHandshake: true }),
      expected: 'Resolve Connect Ehlo StartTls Connect Ehlo TestMail',
      expectedText: /^The TLS handshake failed \(.+\): mail is sent in the clear/,
    },
    {
      does: 'has TLS with an untrusted certificate',
      behaviour: () => ({ tls: tls.untrusted }),
      expected: passed,
      expectedText: /^TLSv1\.3, /,
    },
  ]
  for (const { does, behaviour, expected, expectedText } of opportunistic)
    it(`passes under opportunistic TLS when the partner ${does}, and reports how mail is sent`, async () => {
      const { validation } = await validateOne(behaviour(), { certificateAuthorities: [pki.ca] })
      assert.equal(listSteps(validation), expected)
      assert.equal(validation.succeeded, true)
      assert.match(detailOf(validation, 'StartTls') ?? '', expectedText)
    })

  it('fails under opportunistic TLS when the handshake breaks and the session in the clear fails', async () => {
    let ehloCount = 0
    const answer = (line: string) => {
      if (line.startsWith('EHLO')) ehloCount += 1
      return ehloCount > 1 ? '421 4.3.2 enough' : undefined
    }
    const { validation } = await validateOne({ tls: tls.good, breakHandshake: true, answer }, {})
    assert.equal(listSteps(validation), 'Resolve Connect Ehlo !StartTls Connect !Ehlo !TestMail')
  })
})

describe('the step Resolve of a validation', () => {
  it('fails when DNS does not respond in time', async () => {
    const validation = await runValidation(toPartners([{ port: 25 }]), {
      smtp: { resolver: silentResolver },
      limits: { resolveMs: 50 },
    })
    assert.equal(listSteps(validation), '!Resolve !TestMail')
    assert.match(detailOf(validation, 'Resolve') ?? '', /4\.4\.312 DNS failed .*ETIMEOUT/)
    assert.equal(detailOf(validation, 'TestMail'), 'Not sent, because no host passed')
  })

  it('looks up the recipient domain with route Mx, and fails when all its addresses are private', async () => {
    const resolver = fakeResolver({
      mx: { 'northwind.example': [[10, 'mx.northwind.example']] },
      a: { 'mx.northwind.example': ['127.0.0.1', '169.254.169.254', '10.0.0.1'] },
    })
    const validation = await runValidation(toPartners([], { route: 'Mx', smartHosts: [] }), {
      smtp: { resolver },
    })
    assert.equal(listSteps(validation), '!Resolve !TestMail')
    assert.deepEqual(
      [validation.steps[0]?.host, validation.steps[0]?.detail],
      [
        'northwind.example',
        '451 4.4.312 No mail exchanger of northwind.example has an address that may be used',
      ],
    )
  })
})

describe("the connector's client certificate", () => {
  it('is presented in a validation to a partner that requires one', async () => {
    const { cert, key } = await pki.issue({ names: ['mail.ours.example'] })
    const readCredentials = async () => ({ certificate: cert, privateKey: key })
    const partner = { tls: { ...tls.good, ca: pki.ca }, requiresClientCertificate: true }
    const fields = forcedTls({ clientCertificate: 'ours' })
    const withCertificate = await validateOne(partner, fields, { smtp: { readCredentials } })
    assert.equal(listSteps(withCertificate.validation), passed)
    const without = await validateOne(partner, forcedTls())
    assert.equal(listSteps(without.validation), 'Resolve Connect Ehlo !StartTls !TestMail')
  })

  it('fails the validation before any connection when it cannot be read, and the step names its secret', async () => {
    const { validation, partner } = await validateOne(
      { tls: tls.good },
      forcedTls({ clientCertificate: 'ours' }),
      { smtp: { readCredentials: () => Promise.reject(new Error('does not exist')) } },
    )
    assert.ok(!validation.succeeded)
    assert.match(
      detailOf(validation, 'Resolve') ?? '',
      /^451 4\.3\.5 The secret mailflow\/client-certificates\/ours .* does not exist$/,
    )
    assert.equal(partner.connections(), 0)
  })
})
