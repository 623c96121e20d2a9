/** TLS as a client of SMTP servers: the options of the handshake, and the properties of the session. */
import type { X509Certificate } from 'node:crypto'
import { type ConnectionOptions, getCACertificates, type TLSSocket } from 'node:tls'
import type { EstablishedTls } from '../tls/assess-server-tls.ts'
import { chainFault, trustErrorOf } from '../tls/chain.ts'
import { fingerprintOf } from '../tls/fingerprint.ts'
import './peer-certificate.ts'
import { commonNameOf, dnsNames } from '../tls/names.ts'
import { encodePresentedChain, summarisePresentedChain } from '../tls/presented-chain.ts'
import { forcesTls, type HopRequirement } from '../tls/requirement.ts'
import { cipherSuites, signatureAlgorithms } from '../tls/suites.ts'

/**
 * Unlike the ingress's list, includes finite-field DHE: some partners support nothing else, and the server bears the
 * cost of DHE.
 */
const ciphers = [...cipherSuites, 'DHE-RSA-AES256-GCM-SHA384', 'DHE-RSA-AES128-GCM-SHA256'].join(':')

/** The hybrid post-quantum group comes first. */
const groups = 'X25519MLKEM768:X25519:P-256:P-384'

/** The client certificate and its key, as PEM. */
export interface ClientCredentials {
  certificate: string
  privateKey: string
}

/**
 * Every certificate passes the handshake: opportunistic mail accepts any certificate, and a deferral must name the
 * fault. assess-server-tls.ts verifies the certificate afterwards. Only an enforced requirement raises the minimum
 * version: for opportunistic mail, a higher minimum would only cause more mail to be sent in the clear.
 */
export function clientTlsOptions(
  enforced: HopRequirement,
  authorities: readonly string[],
  credentials: ClientCredentials | null,
): ConnectionOptions {
  return {
    minVersion: forcesTls(enforced) ? enforced.minimumTlsVersion : 'TLSv1.2',
    ciphers,
    ecdhCurve: groups,
    sigalgs: signatureAlgorithms,
    rejectUnauthorized: false,
    // assess-server-tls.ts compares the certificate with the names of the requirement, not with the host's name.
    checkServerIdentity: () => undefined,
    // An intermediate CA or the certificate itself can also be a trust anchor (as in chain.ts).
    ...(authorities.length > 0 && { ca: [...authorities], allowPartialTrustChain: true }),
    ...(credentials && { cert: credentials.certificate, key: credentials.privateKey }),
  }
}

/**
 * The properties of a finished handshake. Call only once per handshake: only the first call of `getPeerX509Certificate`
 * returns the issuers.
 * @param trustedBy the trust anchors of the handshake
 */
export function establishedTls(socket: TLSSocket, trustedBy: readonly string[]): EstablishedTls {
  const certificate = socket.getPeerX509Certificate()
  const chain = encodePresentedChain(certificate)
  const trustError = verify(socket, chain, trustedBy)
  return {
    kind: 'Established',
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().standardName,
    group: groupOf(socket),
    trusted: trustError === null,
    trustedBy,
    trustError,
    names: certificate ? namesOf(certificate) : { subjectAltNames: [], commonName: null },
    fingerprint256: certificate ? fingerprintOf(certificate) : null,
    chain,
    certificates: summarisePresentedChain(certificate),
  }
}

/** Both OpenSSL's check and chainFault must succeed. */
function verify(
  { authorized, authorizationError }: TLSSocket,
  chain: readonly string[],
  trustedBy: readonly string[],
): string | null {
  const anchors = trustedBy.length > 0 ? trustedBy : getCACertificates()
  const code = authorized ? null : String(authorizationError ?? 'UNKNOWN')
  return trustErrorOf(code, () => chainFault(['Server'], chain, anchors, new Date()))
}

function groupOf(socket: TLSSocket): string | null {
  const key = socket.getEphemeralKeyInfo()
  return key !== null && 'name' in key && key.name ? key.name : null
}

const namesOf = (certificate: X509Certificate): EstablishedTls['names'] => ({
  subjectAltNames: dnsNames(certificate.subjectAltName ?? ''),
  commonName: commonNameOf(certificate),
})
