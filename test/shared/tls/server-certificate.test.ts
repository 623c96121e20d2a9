import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { TlsRequirement } from '../../../shared/contract/jobs.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { dnsNames } from '../../../shared/tls/facts.ts'
import {
  assessServerTls,
  type EstablishedTls,
  forcesTls,
  type ServerTls,
} from '../../../shared/tls/server-certificate.ts'
import { selfSigned } from '../../support/pki.ts'

type Level = TlsRequirement['level']

const requirement = (level: Level, fields: Partial<TlsRequirement> = {}): TlsRequirement => ({
  level,
  mode: 'Enforce',
  tlsDomain: level === 'DomainValidation' ? 'mx.partner.example' : null,
  certificateAuthorities: [],
  minimumTlsVersion: 'TLSv1.2',
  ...fields,
})

const established = (fields: Partial<EstablishedTls> = {}): EstablishedTls => ({
  kind: 'Established',
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  group: null,
  trusted: true,
  trustError: null,
  names: { subjectAltNames: ['mx.partner.example'], commonName: null },
  fingerprint256: null,
  certificates: [],
  ...fields,
})

const named = (subjectAltNames: string[], commonName: string | null = null) =>
  established({ names: { subjectAltNames, commonName } })
const untrusted = (trustError: string | null) => established({ trusted: false, trustError })

const levels: Level[] = ['Opportunistic', 'EncryptionOnly', 'CertificateValidation', 'DomainValidation']

/** Codes for EncryptionOnly, CertificateValidation and DomainValidation; null is a requirement that is met. */
const rows: [string, ServerTls, [string | null, string | null, string | null]][] = [
  ['no STARTTLS', { kind: 'NotOffered', answer: null }, ['4.7.321', '4.7.321', '4.7.321']],
  ['STARTTLS refused', { kind: 'NotOffered', answer: '454 no' }, ['4.7.321', '4.7.321', '4.7.321']],
  ['a failed handshake', { kind: 'HandshakeFailed', cause: 'ECONNRESET' }, ['4.7.5', '4.7.5', '4.7.5']],
  ['TLS 1.1', established({ protocol: 'TLSv1.1' }), ['4.7.5', '4.7.5', '4.7.5']],
  ['a version nobody knows', established({ protocol: 'unknown' }), ['4.7.5', '4.7.5', '4.7.5']],
  ['a good certificate', established(), [null, null, null]],
  ['an unknown issuer', untrusted('UNABLE_TO_GET_ISSUER_CERT_LOCALLY'), [null, '4.7.320', '4.7.320']],
  ['a self-signed certificate', untrusted('DEPTH_ZERO_SELF_SIGNED_CERT'), [null, '4.7.320', '4.7.320']],
  ['no trust and no reason', untrusted(null), [null, '4.7.320', '4.7.320']],
  ['an expired certificate', untrusted('CERT_HAS_EXPIRED'), [null, '4.7.322', '4.7.322']],
  ['a certificate not valid yet', untrusted('CERT_NOT_YET_VALID'), [null, '4.7.322', '4.7.322']],
  ['another name', named(['mx.other.example']), [null, null, '4.7.325']],
  ['a wildcard that covers the name', named(['*.partner.example']), [null, null, null]],
  ['a wildcard of another level', named(['*.example']), [null, null, '4.7.325']],
  ['the name as a prefix only', named(['mx.partner.example.evil.example']), [null, null, '4.7.325']],
  [
    'the name in CN beside other SANs',
    named(['mx.other.example'], 'mx.partner.example'),
    [null, null, '4.7.325'],
  ],
  ['the name in CN without any SAN', named([], 'mx.partner.example'), [null, null, null]],
  ['no name at all', named([]), [null, null, '4.7.325']],
]

describe('the assessment of a next hop', () => {
  for (const [what, facts, codes] of rows) {
    for (const [index, level] of levels.slice(1).entries()) {
      const code = codes[index] ?? null
      it(`${code === null ? 'lets' : 'refuses'} ${what} under ${level}`, () => {
        const answer = assessServerTls(requirement(level), facts)
        assert.equal(answer?.enhanced ?? null, code, answer ? formatReply(answer) : '')
        if (answer) assert.equal(answer.code, 451)
      })
    }
    it(`lets ${what} under Opportunistic`, () =>
      assert.equal(assessServerTls(requirement('Opportunistic'), facts), null))
  }

  it('accepts TLS 1.3 only where the connector says so', () => {
    const tls = requirement('EncryptionOnly', { minimumTlsVersion: 'TLSv1.3' })
    assert.equal(assessServerTls(tls, established()), null)
    assert.equal(assessServerTls(tls, established({ protocol: 'TLSv1.2' }))?.enhanced, '4.7.5')
  })

  it('refuses every name when DomainValidation was given none', () => {
    assert.equal(
      assessServerTls(requirement('DomainValidation', { tlsDomain: null }), established())?.enhanced,
      '4.7.325',
    )
  })

  it('says what the certificate is for', () => {
    const answer = assessServerTls(requirement('DomainValidation'), named(['a.example', 'b.example']))
    assert.equal(answer?.text, 'Certificate is for a.example, b.example, not for mx.partner.example')
  })

  it('forces TLS at every level but Opportunistic, and never in ReportOnly', () => {
    assert.deepEqual(
      levels.filter((level) => forcesTls(requirement(level))),
      levels.slice(1),
    )
    assert.deepEqual(
      levels.filter((level) => forcesTls(requirement(level, { mode: 'ReportOnly' }))),
      [],
    )
  })
})

describe('the names of a certificate', () => {
  it('never include one that the certificate holds only inside another', async () => {
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
