/** TLS as a client of SMTP servers: what is offered to them, and what is learnt of them. */
import type { X509Certificate } from 'node:crypto'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { commonNameOf, dnsNames } from '../tls/facts.ts'
import { fingerprintOf } from '../tls/fingerprint.ts'
import { encodedChain, presentedChain } from '../tls/presented-chain.ts'
import { forcesTls, type HopRequirement } from '../tls/requirement.ts'
import type { EstablishedTls } from '../tls/server-certificate.ts'
import { cipherSuites } from '../tls/suites.ts'

/** As a client also finite-field DHE: some partners have nothing else, and its cost is theirs. */
const ciphers = [...cipherSuites, 'DHE-RSA-AES256-GCM-SHA384', 'DHE-RSA-AES128-GCM-SHA256'].join(':')

/** Hybrid post-quantum first. */
const groups = 'X25519MLKEM768:X25519:P-256:P-384'

/** What a next hop that asks for a certificate is shown, PEM. */
export interface ClientCredentials {
  certificate: string
  privateKey: string
}

/**
 * Every certificate passes the handshake, since opportunistic mail takes any and a refusal has to say what was
 * wrong; server-certificate.ts judges it afterwards. Only enforced requirements raise the minimum version: in
 * opportunistic mail a newer minimum would only bring more mail into the clear.
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
    rejectUnauthorized: false,
    // The name is compared with what is demanded, not with the host's; see server-certificate.ts.
    checkServerIdentity: () => undefined,
    // An authority in the middle of a chain, or the certificate itself, is an anchor too (as in chain.ts).
    ...(authorities.length > 0 && { ca: [...authorities], allowPartialTrustChain: true }),
    ...(credentials && { cert: credentials.certificate, key: credentials.privateKey }),
  }
}

/**
 * What a finished handshake established. To be called once: Node hands out the chain with the first certificate.
 * @param trustedBy the authorities that the handshake was given
 */
export function establishedTls(socket: TLSSocket, trustedBy: readonly string[]): EstablishedTls {
  const certificate = socket.getPeerX509Certificate()
  return {
    kind: 'Established',
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().standardName,
    group: groupOf(socket),
    trusted: socket.authorized === true && certificate !== undefined,
    trustedBy,
    trustError: socket.authorized ? null : String(socket.authorizationError ?? 'UNKNOWN'),
    names: certificate ? namesOf(certificate) : { subjectAltNames: [], commonName: null },
    fingerprint256: certificate ? fingerprintOf(certificate) : null,
    chain: encodedChain(certificate),
    certificates: presentedChain(certificate),
  }
}

function groupOf(socket: TLSSocket): string | null {
  const key = socket.getEphemeralKeyInfo()
  return key !== null && 'name' in key && key.name ? key.name : null
}

const namesOf = (certificate: X509Certificate): EstablishedTls['names'] => ({
  subjectAltNames: dnsNames(certificate.subjectAltName ?? ''),
  commonName: commonNameOf(certificate),
})
