/** What a notice and the observed certificates say of a client certificate. The certificates are real. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import type { CertificateFacts } from '../../../shared/contract/certificate.ts'
import { certificateFacts } from '../../../shared/policy/certificate-facts.ts'
import { identifiesClient, toPresentedCertificate } from '../../../shared/policy/client-certificate.ts'
import { evaluateInbound } from '../../../shared/policy/inbound.ts'
import { unknownCertificateNotices } from '../../../shared/policy/unknown-certificate.ts'
import { factsSummary } from '../../../shared/tls/certificate-facts-text.ts'
import { predictCertificateFacts } from '../../../shared/tls/facts.ts'
import { certificatesIn } from '../../../shared/tls/pem.ts'
import { inbound, overTls, snapshot } from '../../support/fixtures.ts'
import {
  createPki,
  daysFromNow,
  fingerprintOf,
  type Identity,
  type Pki,
  selfSigned,
} from '../../support/pki.ts'

const at = new Date()
const listed = 'mail.contoso.example'
const hostile = 'mail.attacker.example'
const own = await createPki('Contoso CA')
const publicRoot = await createPki('Public root')
const lookAlike = await createPki('Contoso CA')
const expiredOwn = await own.subordinate('Expired CA', {
  notBefore: daysFromNow(-90),
  notAfter: daysFromNow(-1),
})
const olderOwn = await own.subordinate('Older CA', { notBefore: daysFromNow(-90) })
/** An ordinary certificate of the authority, whose holder signs with its key. */
const notAuthority = await own.subordinate(listed, { isAuthority: false })
const constrained = await own.subordinate('Constrained CA', { permitted: 'contoso.example' })

const issue = (pki: Pki, name: string, options = {}) => pki.issue({ names: [name], ...options })
const expired = { notBefore: daysFromNow(-60), notAfter: daysFromNow(-2) }

const presentedOf = ({ cert }: Identity) => {
  const [leaf, ...issuers] = certificatesIn(cert).map((pem) => new X509Certificate(pem))
  assert.ok(leaf)
  const chain = [leaf, ...issuers] as const
  return toPresentedCertificate(predictCertificateFacts([...chain], { publicRoots: [publicRoot.ca], at }), at)
}

const connectorWith = (fields: Partial<InboundConnector>) =>
  inbound({ restrictDomainsToCertificate: true, tlsSenderCertificateNames: [listed], ...fields })
const withOwn = { certificateAuthorities: [own.ca] }
const anyFingerprint = ['ef'.repeat(32)]

interface Row {
  name: string
  connector?: Partial<InboundConnector>
  identity: Identity
  facts: Partial<CertificateFacts>
  summary: string
  vouchedFor?: boolean
  /** The field of each remedy, and what it admits. */
  remedies: string[]
}

const fingerprint = 'certificateFingerprints ThisCertificate'
const nameOfOwn = 'tlsSenderCertificateNames NameFromConnectorAuthority'
const nameOfRoot = 'tlsSenderCertificateNames NameFromPublicRoot'

const rows: Row[] = [
  {
    name: "of the connector's authority under another name in the sender domains",
    connector: withOwn,
    identity: await issue(own, 'mx1.contoso.example'),
    facts: { issuedByConnectorAuthority: true, issuedByPublicRoot: false, nameListed: false },
    summary: "issued by the connector's authority, under another name in the sender domains",
    vouchedFor: true,
    remedies: [fingerprint, nameOfOwn],
  },
  {
    name: "of the connector's authority under a hostile name",
    connector: withOwn,
    identity: await issue(own, hostile),
    facts: { issuedByConnectorAuthority: true, nameListed: false, nameInSenderDomains: false },
    summary: "issued by the connector's authority, under another name outside the sender domains",
    remedies: [fingerprint, nameOfOwn],
  },
  {
    name: 'of a public root under another name in the sender domains',
    identity: await issue(publicRoot, 'mx1.contoso.example'),
    facts: { issuedByConnectorAuthority: null, issuedByPublicRoot: true, nameListed: false },
    summary: 'issued by a public root, under another name in the sender domains',
    vouchedFor: true,
    remedies: [fingerprint, nameOfRoot],
  },
  {
    name: 'of a public root under a hostile name',
    identity: await issue(publicRoot, hostile),
    facts: { issuedByPublicRoot: true, nameInSenderDomains: false },
    summary: 'issued by a public root, under another name outside the sender domains',
    remedies: [fingerprint],
  },
  {
    name: 'of a public root under the listed name, if the connector has its own authority',
    connector: withOwn,
    identity: await issue(publicRoot, listed),
    facts: { issuedByConnectorAuthority: false, issuedByPublicRoot: true, nameListed: true },
    summary: "not issued by the connector's authority but by a public root, under a listed name",
    remedies: [fingerprint],
  },
  {
    name: 'of an authority that is also a public root, under a hostile name',
    connector: { certificateAuthorities: [publicRoot.ca] },
    identity: await issue(publicRoot, hostile),
    facts: { issuedByConnectorAuthority: true, issuedByPublicRoot: true },
    summary:
      "issued by the connector's authority and by a public root, under another name outside the sender domains",
    remedies: [fingerprint],
  },
  {
    name: 'of an authority with the same name as the authority of the connector',
    connector: withOwn,
    identity: await issue(lookAlike, listed),
    facts: { issuedByConnectorAuthority: false, issuedByPublicRoot: false },
    summary: "not issued by the connector's authority, under a listed name",
    remedies: [fingerprint],
  },
  {
    name: 'below an ordinary certificate of the authority of the connector',
    connector: withOwn,
    identity: await issue(notAuthority, 'mx1.contoso.example'),
    facts: {
      issuedByConnectorAuthority: false,
      trustFault: 'the intermediate certificate is not an authority (basicConstraints)',
    },
    summary: "not issued by the connector's authority, under another name in the sender domains",
    remedies: [fingerprint],
  },
  {
    name: 'under a name that the authority of the connector may not issue',
    connector: withOwn,
    identity: await issue(constrained, hostile),
    facts: { issuedByConnectorAuthority: false },
    summary: "not issued by the connector's authority, under another name outside the sender domains",
    remedies: [fingerprint],
  },
  {
    name: 'of an authority of the connector that has expired',
    connector: { certificateAuthorities: [expiredOwn.ca] },
    identity: await issue(expiredOwn, listed),
    facts: { issuedByConnectorAuthority: true, nameListed: true, validity: 'Valid' },
    summary: "issued by the connector's authority but not trusted, under a listed name",
    remedies: [fingerprint],
  },
  {
    name: 'that has expired, of the authority of the connector',
    connector: { certificateAuthorities: [olderOwn.ca] },
    identity: await issue(olderOwn, listed, expired),
    facts: { issuedByConnectorAuthority: true, trustFault: null, validity: 'Expired' },
    summary: "issued by the connector's authority, under a listed name, expired",
    remedies: [],
  },
  {
    name: 'that is not valid yet, of the authority of the connector',
    connector: withOwn,
    identity: await issue(own, listed, { notBefore: daysFromNow(1), notAfter: daysFromNow(2) }),
    facts: { issuedByConnectorAuthority: true, trustFault: null, validity: 'NotYetValid' },
    summary: "issued by the connector's authority, under a listed name, not valid yet",
    remedies: [],
  },
  {
    name: 'that has expired, so that its public root is not determined',
    identity: await issue(publicRoot, listed, expired),
    facts: { issuedByPublicRoot: null, validity: 'Expired' },
    summary: 'issuer not verified, under a listed name, expired',
    remedies: [],
  },
  {
    name: 'that is self-signed and has expired, which OpenSSL reports like that of a public root',
    identity: await selfSigned({ names: [listed], ...expired }),
    facts: { issuedByPublicRoot: null, validity: 'Expired' },
    summary: 'issuer not verified, under a listed name, expired',
    remedies: [],
  },
  {
    name: 'that is self-signed, under a listed name',
    identity: await selfSigned({ names: [listed] }),
    facts: { issuedByPublicRoot: false, trustFault: 'DEPTH_ZERO_SELF_SIGNED_CERT', nameListed: true },
    summary: 'not issued by a public root, under a listed name',
    remedies: [fingerprint],
  },
  {
    name: 'that is self-signed, at a connector with only fingerprints',
    connector: { tlsSenderCertificateNames: [], certificateFingerprints: anyFingerprint },
    identity: await selfSigned({ names: ['mx1.contoso.example'] }),
    facts: { pinned: false, issuedByConnectorAuthority: null, nameListed: null, nameInSenderDomains: true },
    summary: 'not issued by a public root, under a name in the sender domains',
    remedies: [fingerprint],
  },
  {
    name: 'of a public root, at a connector with only fingerprints',
    connector: { tlsSenderCertificateNames: [], certificateFingerprints: anyFingerprint },
    identity: await issue(publicRoot, hostile),
    facts: { issuedByPublicRoot: true, nameListed: null, nameInSenderDomains: false },
    summary: 'issued by a public root, under a name outside the sender domains',
    remedies: [fingerprint],
  },
  {
    name: 'for servers, if the connector requires client authentication',
    connector: { ...withOwn, requireClientAuthEku: true },
    identity: await issue(own, listed, { purposes: ['serverAuth'] }),
    facts: { issuedByConnectorAuthority: true, clientAuth: false },
    summary: "issued by the connector's authority, under a listed name, not for client authentication",
    remedies: [fingerprint],
  },
  {
    name: 'of a public root, at a connector for every sender domain',
    connector: { senderDomains: ['*'] },
    identity: await issue(publicRoot, 'mx1.contoso.example'),
    facts: { nameListed: false, nameInSenderDomains: null },
    summary: 'issued by a public root, under another name',
    remedies: [fingerprint],
  },
]

describe('the facts of an unknown client certificate', () => {
  for (const { name, connector: fields = {}, identity, facts, summary, vouchedFor = false, remedies } of rows)
    test(name, () => {
      const connector = connectorWith(fields)
      const presented = presentedOf(identity)
      assert.ok(presented)
      const actual = certificateFacts(connector, presented)
      assert.deepEqual({ ...actual, ...facts }, actual)
      assert.equal(factsSummary(actual), summary)
      const session = {
        ip: '192.0.2.1',
        tls: { ...overTls, clientCertificate: presented.certificate },
        mailFrom: 'a@contoso.example',
        at,
      }
      const rules = snapshot({ inbound: [connector] })
      const outcome = { consequence: 'Bounced', heldUntil: null } as const
      const [notice] = unknownCertificateNotices(rules, session, evaluateInbound(rules, session), outcome)
      assert.ok(notice)
      assert.deepEqual(notice.facts, actual)
      assert.equal(notice.vouchedFor, vouchedFor)
      assert.deepEqual(
        notice.remedies.map(({ field, admits }) => `${field} ${admits}`),
        remedies,
      )
      for (const { field, add } of notice.remedies)
        assert.ok(identifiesClient({ ...connector, [field]: [...connector[field], add] }, presented), field)
    })

  test('together decide, as the connector does, whether it accepts the certificate', () => {
    for (const { connector: fields = {}, identity } of rows)
      for (const changed of [{}, { tlsSenderCertificateNames: [listed, hostile, 'mx1.contoso.example'] }])
        for (const certificateFingerprints of [anyFingerprint, [fingerprintOf(identity)]]) {
          const connector = connectorWith({ ...fields, ...changed, certificateFingerprints })
          const presented = presentedOf(identity)
          assert.ok(presented)
          const { pinned, trustFault, nameListed, validity, clientAuth } = certificateFacts(
            connector,
            presented,
          )
          const isVerified = trustFault === null && nameListed === true && clientAuth !== false
          assert.equal(validity === 'Valid' && (pinned || isVerified), identifiesClient(connector, presented))
        }
  })
})
