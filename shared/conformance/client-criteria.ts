/** The criteria for a client that delivers mail. Pure. */
import { hasForwardSecrecy, isNistSuite } from './allowed.ts'
import { bsiProjects, bsiTls, type Criterion, metIf, metIfNone, nist } from './criterion.ts'
import type { TlsClientFacts } from './facts.ts'
import { extensionTypes } from './hello.ts'

const method = 'ClientHello of a delivery, as a server records it'

const offersAll = (field: 'suites' | 'groups', required: readonly string[]) => (facts: TlsClientFacts) =>
  metIfNone(
    required.filter((name) => !facts[field].includes(name)).map((name) => `without ${name}`),
    required.join(', '),
  )

const offersExtension = (type: number) => (facts: TlsClientFacts) => {
  const isOffered = facts.extensions.includes(type)
  return metIf(isOffered, isOffered ? 'offered' : 'not offered')
}

const serverName = 0
const statusRequest = 5
const earlyData = 42

export const clientCriteria: readonly Criterion<TlsClientFacts>[] = [
  {
    id: 'client-versions',
    requirement: 'Offers TLS 1.2 and TLS 1.3, and nothing older',
    references: [bsiProjects('profiles TLS_1.2, TLS_1.3', 'must'), nist('§4.1', 'must')],
    method,
    assess: ({ versions: { byDefault } }) =>
      metIf(byDefault.join() === 'TLSv1.3,TLSv1.2', byDefault.join(', ')),
    advice: 'Offer these versions only',
  },
  {
    id: 'client-tls13-required',
    requirement: 'A connector can require TLS 1.3',
    references: [nist('§4.1', 'should')],
    method,
    assess: ({ versions: { tls13Required } }) =>
      metIf(tls13Required.join() === 'TLSv1.3', tls13Required.join(', ')),
    advice: 'Offer TLS 1.3 only',
  },
  {
    id: 'client-suites-required',
    requirement: 'Offers ECDHE with AES-128-GCM for ECDSA and RSA, and TLS_AES_128_GCM_SHA256',
    references: [bsiProjects('§2.2.1.1, §2.3.2', 'must')],
    method,
    assess: offersAll('suites', [
      'TLS_AES_128_GCM_SHA256',
      'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
      'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
    ]),
    advice: 'Offer these suites',
  },
  {
    id: 'client-suites-cbc',
    requirement: 'Offers ECDHE with AES-128-CBC and SHA-256 until 2026',
    references: [bsiProjects('§2.2.1.1', 'must')],
    method,
    assess: offersAll('suites', [
      'TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256',
      'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256',
    ]),
    advice: 'Offer these suites',
  },
  {
    id: 'client-forward-secrecy',
    requirement: 'Offers only key exchange with forward secrecy and authenticated encryption',
    references: [nist('§4.3', 'should'), bsiTls('§3.3.1', 'should')],
    method,
    assess: ({ suites }) =>
      metIfNone(
        suites.filter((suite) => !hasForwardSecrecy(suite) || !/_(GCM|POLY1305)_/.test(suite)),
        `${suites.length} suites`,
      ),
    advice: 'Offer no other suites',
  },
  {
    id: 'client-suites-nist',
    requirement: 'Offers only suites of algorithms that NIST approves',
    references: [nist('§4.3', 'must')],
    method,
    assess: ({ suites }) =>
      metIfNone(
        suites.filter((suite) => !isNistSuite(suite)),
        `${suites.length} suites`,
      ),
    advice: 'Offer no other suites',
  },
  {
    id: 'client-groups-required',
    requirement: 'Offers secp256r1 and brainpoolP256r1',
    references: [bsiProjects('§2.2.2, §2.3.3', 'must')],
    method,
    assess: offersAll('groups', ['secp256r1', 'brainpoolP256r1']),
    advice: 'Offer these groups',
  },
  {
    id: 'client-signatures',
    requirement: 'Accepts no signature with MD5, SHA-1 or SHA-224',
    references: [bsiTls('§3.3.3', 'should'), nist('§4.4', 'should')],
    method,
    assess: ({ signatures }) => {
      const weak = signatures.filter((scheme) => scheme >> 8 <= 3)
      return metIf(weak.length === 0, weak.map((scheme) => `0x${scheme.toString(16)}`).join(', ') || 'none')
    },
    advice: 'Do not offer these signature algorithms',
  },
  {
    id: 'client-compression',
    requirement: 'Offers no TLS compression',
    references: [bsiTls('§3.3.4.3', 'must'), nist('§4.7', 'must')],
    method,
    assess: ({ compressionMethods }) => metIf(compressionMethods.join() === '0', 'only null'),
    advice: 'Offer only the null method',
  },
  {
    id: 'client-server-name',
    requirement: 'Sends the server name',
    references: [nist('§4.4', 'must')],
    method,
    assess: offersExtension(serverName),
    advice: 'Send the server name',
  },
  {
    id: 'client-extended-master-secret',
    requirement: 'Offers the extended master secret (RFC 7627)',
    references: [nist('§4.4', 'must'), bsiTls('§3.3.4.7', 'should')],
    method,
    assess: offersExtension(extensionTypes.extendedMasterSecret),
    advice: 'Offer it',
  },
  {
    id: 'client-secure-renegotiation',
    requirement: 'Offers secure renegotiation (RFC 5746)',
    references: [nist('§4.4', 'must')],
    method,
    assess: offersExtension(extensionTypes.renegotiationInfo),
    advice: 'Offer it',
  },
  {
    id: 'client-no-truncated-hmac',
    requirement: 'Offers neither truncated HMAC, nor heartbeat, nor early data',
    references: [bsiTls('§3.3.4.2, §3.3.4.6', 'must'), bsiProjects('§2.3.1', 'must')],
    method,
    assess: ({ extensions }) => {
      const { truncatedHmac, heartbeat } = extensionTypes
      const offered = [truncatedHmac, heartbeat, earlyData].filter((type) => extensions.includes(type))
      return metIf(offered.length === 0, offered.join(', ') || 'none')
    },
    advice: 'Do not offer these extensions',
  },
  {
    id: 'client-certificate-status',
    requirement: 'Requests a stapled OCSP response',
    references: [nist('§4.4', 'should')],
    method,
    assess: offersExtension(statusRequest),
    advice: 'Offer the certificate status request',
  },
  {
    id: 'client-verification',
    requirement: 'Verifies the certificate, its name and chain, where TLS is forced',
    references: [bsiProjects('profile CHECK_CERTS', 'must'), nist('§4.5', 'must')],
    method:
      'delivery with `DomainValidation` to servers with a good certificate, an unknown issuer, another name',
    assess: ({ verification: { good, untrusted, otherName } }) =>
      metIf(
        good === null && untrusted !== null && otherName !== null,
        `good: ${good ?? 'sent'}; unknown issuer: ${untrusted ?? 'sent'}; another name: ${otherName ?? 'sent'}`,
      ),
    advice: 'Verify the certificate',
  },
]
