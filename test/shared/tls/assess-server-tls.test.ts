import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { TlsResult } from '../../../shared/contract/tls-result.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { assessServerTls, type ServerTls } from '../../../shared/tls/assess-server-tls.ts'
import { dnsNames } from '../../../shared/tls/names.ts'
import { forcesTls, type HopRequirement, opportunistic } from '../../../shared/tls/requirement.ts'
import { createPki, selfSigned } from '../../support/pki.ts'
import { established } from '../../support/tls-sessions.ts'

type Level = HopRequirement['level']

const requirement = (level: Level, fields: Partial<HopRequirement> = {}): HopRequirement => ({
  ...opportunistic,
  level,
  source: level === 'Opportunistic' ? 'Opportunistic' : 'Connector',
  names: level === 'DomainValidation' ? ['mx.partner.example'] : [],
  ...fields,
})

/** The time for tests that do not depend on it. */
const now = new Date()

const namesWith = (subjectAltNames: string[], commonName: string | null = null) =>
  established({ names: { subjectAltNames, commonName } })
const untrusted = (trustError: string | null) => established({ trusted: false, trustError })

const levels: Level[] = ['Opportunistic', 'EncryptionOnly', 'CertificateValidation', 'DomainValidation']

/** Codes for EncryptionOnly, CertificateValidation and DomainValidation; null if the requirement is met. */
const rows: [string, ServerTls, [string | null, string | null, string | null]][] = [
  [
    'a session without STARTTLS',
    { kind: 'NotOffered', serverReply: null },
    ['4.7.321', '4.7.321', '4.7.321'],
  ],
  [
    'a session whose STARTTLS was refused',
    { kind: 'NotOffered', serverReply: '454 no' },
    ['4.7.321', '4.7.321', '4.7.321'],
  ],
  ['a failed handshake', { kind: 'HandshakeFailed', cause: 'ECONNRESET' }, ['4.7.5', '4.7.5', '4.7.5']],
  ['a session over TLS 1.1', established({ protocol: 'TLSv1.1' }), ['4.7.5', '4.7.5', '4.7.5']],
  [
    'a session over an unknown TLS version',
    established({ protocol: 'unknown' }),
    ['4.7.5', '4.7.5', '4.7.5'],
  ],
  ['a good certificate', established(), [null, null, null]],
  [
    'a certificate of an unknown issuer',
    untrusted('UNABLE_TO_GET_ISSUER_CERT_LOCALLY'),
    [null, '4.7.320', '4.7.320'],
  ],
  ['a self-signed certificate', untrusted('DEPTH_ZERO_SELF_SIGNED_CERT'), [null, '4.7.320', '4.7.320']],
  ['a certificate that is untrusted without a reason', untrusted(null), [null, '4.7.320', '4.7.320']],
  ['an expired certificate', untrusted('CERT_HAS_EXPIRED'), [null, '4.7.322', '4.7.322']],
  ['a certificate that is not valid yet', untrusted('CERT_NOT_YET_VALID'), [null, '4.7.322', '4.7.322']],
  ['a certificate for another name', namesWith(['mx.other.example']), [null, null, '4.7.325']],
  ['a certificate with a wildcard for the name', namesWith(['*.partner.example']), [null, null, null]],
  ['a certificate with a wildcard of another level', namesWith(['*.example']), [null, null, '4.7.325']],
  [
    'a certificate for a name that only begins with the expected name',
    namesWith(['mx.partner.example.evil.example']),
    [null, null, '4.7.325'],
  ],
  [
    'a certificate with the name as CN beside another SAN',
    namesWith(['mx.other.example'], 'mx.partner.example'),
    [null, null, '4.7.325'],
  ],
  [
    'a certificate with the name as CN and without any SAN',
    namesWith([], 'mx.partner.example'),
    [null, null, null],
  ],
  ['a certificate without any name', namesWith([]), [null, null, '4.7.325']],
]

describe("the assessment of a next hop's TLS", () => {
  for (const [what, facts, codes] of rows) {
    for (const [index, level] of levels.slice(1).entries()) {
      const code = codes[index] ?? null
      it(`${code === null ? 'accepts' : 'refuses'} ${what} under ${level}`, () => {
        const fault = assessServerTls(requirement(level), facts, now)
        assert.equal(fault?.reply.enhanced ?? null, code, fault ? formatReply(fault.reply) : '')
        if (fault) assert.equal(fault.reply.code, 451)
      })
    }
    it(`accepts ${what} under Opportunistic`, () =>
      assert.equal(assessServerTls(requirement('Opportunistic'), facts, now), null))
  }

  it('refuses TLS 1.2 with 4.7.5 if TLS 1.3 is required', () => {
    const tls = requirement('EncryptionOnly', { minimumTlsVersion: 'TLSv1.3' })
    assert.equal(assessServerTls(tls, established(), now), null)
    assert.equal(assessServerTls(tls, established({ protocol: 'TLSv1.2' }), now)?.reply.enhanced, '4.7.5')
  })

  it('refuses every certificate if DomainValidation expects no name', () => {
    assert.equal(
      assessServerTls(requirement('DomainValidation', { names: [] }), established(), now)?.reply.enhanced,
      '4.7.325',
    )
  })

  it("states the certificate's names and the expected name in the fault for a certificate for other names", () => {
    const fault = assessServerTls(requirement('DomainValidation'), namesWith(['a.example', 'b.example']), now)
    assert.equal(fault?.reply.text, 'Certificate is for a.example, b.example, not for mx.partner.example')
  })

  it('refuses a session that does not meet an additional requirement', () => {
    const additional = [requirement('DomainValidation')]
    for (const level of ['EncryptionOnly', 'CertificateValidation'] as const) {
      const combined = requirement(level, { additional })
      assert.equal(assessServerTls(combined, namesWith(['mx.partner.example']), now), null)
      assert.equal(assessServerTls(combined, namesWith(['other.example']), now)?.reply.enhanced, '4.7.325')
    }
  })

  it('has in each fault the result type for a TLS report', () => {
    const results: [ServerTls, TlsResult][] = [
      [{ kind: 'NotOffered', serverReply: null }, 'starttls-not-supported'],
      [{ kind: 'HandshakeFailed', cause: 'ECONNRESET' }, 'validation-failure'],
      [established({ protocol: 'TLSv1.1' }), 'validation-failure'],
      [untrusted('DEPTH_ZERO_SELF_SIGNED_CERT'), 'certificate-not-trusted'],
      [untrusted('CERT_HAS_EXPIRED'), 'certificate-expired'],
      [namesWith(['mx.other.example']), 'certificate-host-mismatch'],
    ]
    for (const [facts, result] of results)
      assert.equal(assessServerTls(requirement('DomainValidation'), facts, now)?.result, result)
  })

  it('refuses every bad certificate under an MTA-STS policy with 4.7.5, also one with the name only as CN', () => {
    const tls = requirement('DomainValidation', { source: 'MtaSts' })
    for (const facts of [untrusted('CERT_HAS_EXPIRED'), namesWith([], 'mx.partner.example')])
      assert.equal(assessServerTls(tls, facts, now)?.reply.enhanced, '4.7.5')
    assert.equal(
      assessServerTls(tls, { kind: 'NotOffered', serverReply: null }, now)?.reply.enhanced,
      '4.7.321',
    )
    assert.equal(assessServerTls(tls, established(), now), null)
  })

  it("verifies the chain with the requirement's own authorities, regardless of the result of the handshake", async () => {
    const [issued, other] = await Promise.all([createPki(), createPki()])
    const { cert } = await issued.issue({ names: ['mx.partner.example'] })
    const chain = [new X509Certificate(cert).raw.toString('base64')]
    const facts = established({ trusted: false, trustError: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', chain })
    const trusting = (ca: string) => requirement('CertificateValidation', { certificateAuthorities: [ca] })
    assert.equal(assessServerTls(trusting(issued.ca), facts, now), null)
    assert.equal(assessServerTls(trusting(other.ca), facts, now)?.reply.enhanced, '4.7.320')
    const byRoots = established({ chain })
    assert.equal(assessServerTls(trusting(other.ca), byRoots, now)?.reply.enhanced, '4.7.320')
  })
})

it('forcesTls is true at every level but Opportunistic', () => {
  assert.deepEqual(
    levels.filter((level) => forcesTls(requirement(level))),
    levels.slice(1),
  )
})

describe('the names that dnsNames reads from a certificate', () => {
  it('do not include a name that is only part of another entry', async () => {
    const texts = fc.string({
      unit: fc.constantFrom('a', '"', ',', ' ', '\\', 'D', 'N', 'S', ':', '.'),
      minLength: 1,
    })
    const enclosing = fc.constantFrom(', DNS:evil.example', '", DNS:evil.example', '\\", DNS:evil.example')
    await fc.assert(
      fc.asyncProperty(texts, enclosing, async (text, tail) => {
        const { cert } = await selfSigned({ names: [text + tail, 'good.example'], commonName: 'x' })
        const names = dnsNames(new X509Certificate(cert).subjectAltName ?? '')
        assert.ok(!names.includes('evil.example'), names.join(' | '))
        assert.ok(names.includes('good.example'), names.join(' | '))
      }),
      { numRuns: 100 },
    )
  })
})
