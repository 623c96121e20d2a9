import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import type { Revocation, RevocationCheck } from '../../../shared/contract/revocation.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { admitRecipient } from '../../../shared/policy/admit-recipient.ts'
import { connectorsCheckingRevocation, withRevocation } from '../../../shared/policy/client-revocation.ts'
import { evaluateInbound, type Session } from '../../../shared/policy/inbound.ts'
import { selectOutbound } from '../../../shared/policy/outbound.ts'
import { unknownCertificateNotices } from '../../../shared/policy/unknown-certificate.ts'
import { inboundWarnings, outboundWarnings } from '../../../shared/policy/warnings/warnings.ts'
import { assessRevocation } from '../../../shared/tls/assess-server-tls.ts'
import {
  clientCertificate,
  inbound,
  outbound,
  overTls,
  receivedAt,
  snapshot,
} from '../../support/fixtures.ts'

const names = ['mx.contoso.example']
const restricting = (fields: Partial<InboundConnector> = {}) =>
  inbound({ restrictDomainsToCertificate: true, tlsSenderCertificateNames: names, ...fields })
const ownServer = (fields: Partial<InboundConnector> = {}) =>
  inbound({
    name: 'Own',
    connectorType: 'OnPremises',
    senderDomains: ['*'],
    tlsSenderCertificateNames: names,
    ...fields,
  })

type RevocationResult = Revocation['status'] | 'not checked'

function session(revocationResult: RevocationResult, certificate = {}): Session {
  const tls = {
    ...overTls,
    clientCertificate: clientCertificate({ subjectAltNames: names, trusted: true, ...certificate }),
  }
  const known =
    revocationResult === 'not checked'
      ? tls
      : withRevocation(tls, { status: revocationResult, detail: 'by the CRL' })
  return { ip: '192.0.2.1', tls: known, mailFrom: 'a@contoso.example', at: receivedAt }
}

const restricted = '550 5.7.51 Sender domain is restricted to its own servers'
const tryAgainLater = '451 4.7.51 Cannot determine now whether the client certificate is revoked'

describe("a partner's certificate", () => {
  const rows: [RevocationCheck, RevocationResult, string | null, string][] = [
    ['None', 'Revoked', null, ''],
    ['None', 'Unknown', null, ''],
    ['SoftFail', 'Good', null, ''],
    ['SoftFail', 'Unknown', null, ''],
    ['SoftFail', 'not checked', null, ''],
    ['SoftFail', 'Revoked', restricted, 'revoked (by the CRL)'],
    ['HardFail', 'Good', null, ''],
    ['HardFail', 'Revoked', restricted, 'revoked (by the CRL)'],
    ['HardFail', 'Unknown', tryAgainLater, 'revocation undetermined (by the CRL)'],
    ['HardFail', 'not checked', tryAgainLater, 'revocation undetermined (it was not checked in the session)'],
  ]
  for (const [revocationCheck, revocationResult, inSession, why] of rows)
    it(`with status ${revocationResult} under revocationCheck ${revocationCheck} ${inSession === null ? 'is accepted' : `leads to ${inSession}`}`, () => {
      const connectors = snapshot({ inbound: [restricting({ revocationCheck })] })
      const { violation } = evaluateInbound(connectors, session(revocationResult))
      assert.equal(violation && formatReply(violation.inSession), inSession)
      if (violation === null) return
      assert.ok(violation.explanation.endsWith(`: ${why}.`), violation.explanation)
      assert.equal(formatReply(violation.postQueue), restricted)
    })

  it('with undetermined revocation under HardFail is refused permanently when it has another fault too', () => {
    const connectors = snapshot({ inbound: [restricting({ revocationCheck: 'HardFail' })] })
    const { violation } = evaluateInbound(connectors, session('Unknown', { trusted: false, trustError: 'X' }))
    assert.equal(violation && formatReply(violation.inSession), restricted)
  })

  it('that is pinned is refused when it is revoked', () => {
    const fingerprint256 = 'cd'.repeat(32)
    const connector = restricting({
      tlsSenderCertificateNames: [],
      certificateFingerprints: [fingerprint256],
    })
    const connectors = snapshot({ inbound: [connector] })
    assert.equal(evaluateInbound(connectors, session('Good', { fingerprint256 })).violation, null)
    assert.notEqual(evaluateInbound(connectors, session('Revoked', { fingerprint256 })).violation, null)
  })
})

describe("the organisation's server", () => {
  const rows: [RevocationCheck, RevocationResult, string | null][] = [
    ['SoftFail', 'Unknown', null],
    ['SoftFail', 'Revoked', '550 5.7.64 Relay access denied'],
    ['HardFail', 'Good', null],
    ['HardFail', 'Unknown', tryAgainLater],
    ['HardFail', 'Revoked', '550 5.7.64 Relay access denied'],
  ]
  for (const [revocationCheck, revocationResult, expected] of rows)
    it(`whose certificate has the status ${revocationResult} under revocationCheck ${revocationCheck} ${expected === null ? 'may relay' : `gets ${expected}`}`, () => {
      const connectors = snapshot({ inbound: [ownServer({ revocationCheck })] })
      const evaluation = evaluateInbound(connectors, session(revocationResult))
      const decision = admitRecipient(connectors, evaluation, 'b@elsewhere.example')
      assert.equal(decision.action === 'Refuse' ? formatReply(decision.reply) : null, expected)
    })

  it('may relay by its address under HardFail although its certificate is revoked', () => {
    const known = ownServer({ revocationCheck: 'HardFail', senderIpAddresses: ['192.0.2.1'] })
    const { attributedTo, revocationUndetermined } = evaluateInbound(
      snapshot({ inbound: [known] }),
      session('Revoked'),
    )
    assert.deepEqual([attributedTo?.name, revocationUndetermined], ['Own', null])
  })
})

describe('the revocation of a client certificate is checked', () => {
  const connectorsCheckingFor = (connectors: InboundConnector[], of: Session) =>
    connectorsCheckingRevocation(snapshot({ inbound: connectors }), of).map(({ name }) => name)

  const rows: { what: string; connectors: InboundConnector[]; of?: Session; expected: string[] }[] = [
    {
      what: 'if a partner connector is restricted to the certificate',
      connectors: [restricting()],
      expected: ['Contoso'],
    },
    {
      what: 'if a report-only partner connector is restricted to the certificate',
      connectors: [restricting({ mode: 'ReportOnly' })],
      expected: ['Contoso'],
    },
    {
      what: "if the certificate identifies the organisation's server, which may relay",
      connectors: [ownServer()],
      expected: ['Own'],
    },
    {
      what: 'not with revocationCheck None',
      connectors: [restricting({ revocationCheck: 'None' })],
      expected: [],
    },
    {
      what: 'not if the connector has no restrictDomainsToCertificate',
      connectors: [restricting({ restrictDomainsToCertificate: false })],
      expected: [],
    },
    {
      what: 'not for a certificate with another name than the connectors expect',
      connectors: [restricting(), ownServer()],
      of: session('not checked', { subjectAltNames: ['mx.unrelated.example'] }),
      expected: [],
    },
    {
      what: 'not for an untrusted certificate',
      connectors: [restricting(), ownServer()],
      of: session('not checked', { trusted: false }),
      expected: [],
    },
    {
      what: 'not for a certificate that was checked before in the session',
      connectors: [restricting()],
      of: session('Unknown'),
      expected: [],
    },
    {
      what: 'not for mail that is refused for its TLS version',
      connectors: [restricting({ minimumTlsVersion: 'TLSv1.3' })],
      of: { ...session('not checked'), tls: { ...session('not checked').tls, protocol: 'TLSv1.2' } },
      expected: [],
    },
  ]
  for (const { what, connectors, of = session('not checked'), expected } of rows)
    it(what, () => assert.deepEqual(connectorsCheckingFor(connectors, of), expected))
})

describe('the administrator', () => {
  const outcome = { consequence: 'RefusedInSession', heldUntil: null } as const
  const noticesOf = (revocationResult: RevocationResult) => {
    const connectors = snapshot({ inbound: [restricting({ revocationCheck: 'HardFail' })] })
    const of = session(revocationResult)
    return unknownCertificateNotices(connectors, of, evaluateInbound(connectors, of), outcome)
  }

  it('gets a notice of a revoked client certificate, without remedies', () => {
    const [notice] = noticesOf('Revoked')
    assert.deepEqual([notice?.why, notice?.remedies], ['revoked (by the CRL)', []])
  })

  it('gets no notice of a client certificate with undetermined revocation', () =>
    assert.deepEqual(noticesOf('Unknown'), []))
})

describe('a next hop', () => {
  const rows: [RevocationCheck, Revocation['status'], string | null][] = [
    ['None', 'Revoked', null],
    ['SoftFail', 'Good', null],
    ['SoftFail', 'Unknown', null],
    ['SoftFail', 'Revoked', '451 4.7.320 Certificate is revoked: by the CRL'],
    ['HardFail', 'Good', null],
    ['HardFail', 'Revoked', '451 4.7.320 Certificate is revoked: by the CRL'],
    ['HardFail', 'Unknown', '451 4.7.320 Cannot determine whether the certificate is revoked: by the CRL'],
  ]
  for (const [revocationCheck, status, expected] of rows)
    it(`whose certificate has the status ${status} under revocationCheck ${revocationCheck} ${expected === null ? 'gets the message' : `leads to ${expected}`}`, () => {
      const fault = assessRevocation({ revocationCheck }, { status, detail: 'by the CRL' })
      assert.equal(fault && formatReply(fault.reply), expected)
      if (fault) assert.equal(fault.result, 'certificate-not-trusted')
    })
})

describe('of two otherwise equal connectors', () => {
  it('the inbound connector with HardFail is selected', () => {
    const connectors = [restricting({ name: 'A' }), restricting({ name: 'B', revocationCheck: 'HardFail' })]
    assert.equal(evaluateInbound(snapshot({ inbound: connectors }), session('Good')).partner?.name, 'B')
  })

  it('the outbound connector with HardFail is selected if both require CertificateValidation, but not with EncryptionOnly', () => {
    const selectedName = (tlsSettings: 'EncryptionOnly' | 'CertificateValidation') => {
      const connectors = [
        outbound({ name: 'A', tlsSettings }),
        outbound({ name: 'B', tlsSettings, revocationCheck: 'HardFail' }),
      ]
      return selectOutbound(snapshot({ outbound: connectors }), 'northwind.example')?.name
    }
    assert.equal(selectedName('CertificateValidation'), 'B')
    assert.equal(selectedName('EncryptionOnly'), 'A')
  })
})

describe('a warning says that HardFail has no effect', () => {
  const noOthers = { inbound: [], outbound: [], acceptedDomains: [] }
  const revocationTexts = (warnings: { path: string | null; message: string }[]) =>
    warnings.filter(({ path }) => path === 'revocationCheck').map(({ message }) => message)
  const hardFail = { revocationCheck: 'HardFail' } as const

  it('on an inbound connector that identifies no certificate, and on no other', () => {
    const message = 'has no effect: restrictDomainsToCertificate is false'
    assert.deepEqual(revocationTexts(inboundWarnings(inbound(hardFail), noOthers, receivedAt)), [message])
    assert.deepEqual(revocationTexts(inboundWarnings(restricting(hardFail), noOthers, receivedAt)), [])
    const byAddress = ownServer({
      ...hardFail,
      tlsSenderCertificateNames: [],
      senderIpAddresses: ['192.0.2.1'],
    })
    assert.deepEqual(revocationTexts(inboundWarnings(byAddress, noOthers, receivedAt)), [
      'has no effect: the connector identifies its servers by address',
    ])
  })

  it('on an outbound connector with EncryptionOnly, and not with CertificateValidation', () => {
    const of = (tlsSettings: 'EncryptionOnly' | 'CertificateValidation') =>
      revocationTexts(outboundWarnings(outbound({ ...hardFail, tlsSettings }), noOthers, receivedAt))
    assert.deepEqual(of('EncryptionOnly'), ['has no effect: tlsSettings is EncryptionOnly'])
    assert.deepEqual(of('CertificateValidation'), [])
  })
})
