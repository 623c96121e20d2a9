/**
 * TLS options of the ingress. The attacks: recorded traffic is decrypted later, with a stolen key or a quantum
 * computer; a client is downgraded to weak TLS. The defence: only key exchange with forward secrecy, hybrid
 * post-quantum first; only AEAD ciphers; no signature with SHA-1 or SHA-224; at least TLS 1.2; the server's preference
 * decides. Not covered: clients that support none of this. They get no TLS, and the connectors decide whether their mail
 * is accepted in the clear. In TLS 1.2, clients without the extended master secret (RFC 7627) are served: nothing
 * depends on it, because TLS 1.2 sessions are never resumed or renegotiated, and no secret is exported from them.
 */
import { constants } from 'node:crypto'
import type { TlsOptions } from 'node:tls'
import { serverIdentities } from './server-identity.ts'
import { cipherSuites, ianaNameOf, signatureAlgorithms } from './suites.ts'

/**
 * In OpenSSL's notation a slash separates preference levels. A client that supports the hybrid group but sent another
 * key share is requested to try again (RFC 8446 §4.1.4); within a level the client's choice is accepted.
 */
const groups = 'X25519MLKEM768/X25519:P-256:P-384'

const minVersion = 'TLSv1.2'
const maxVersion = 'TLSv1.3'

/** IANA names by OpenSSL names. */
const ianaGroups = new Map([
  ['X25519MLKEM768', 'X25519MLKEM768'],
  ['X25519', 'x25519'],
  ['P-256', 'secp256r1'],
  ['P-384', 'secp384r1'],
])

/**
 * The offered versions, suites and groups, by IANA names, most preferred first.
 * @param keyTypes the key types of the served certificates; any type other than `RSA` is treated as ECDSA
 */
export function servedProtocol(keyTypes: readonly string[]) {
  const hasKey = { RSA: keyTypes.includes('RSA'), ECDSA: keyTypes.some((type) => type !== 'RSA') }
  const isServed = (suite: string) =>
    suite.startsWith('TLS_') || (suite.startsWith('ECDHE-RSA-') ? hasKey.RSA : hasKey.ECDSA)
  return {
    versions: [maxVersion, minVersion],
    cipherSuites: cipherSuites.filter(isServed).map(ianaNameOf),
    groups: groups.split(/[/:]/).map((group) => ianaGroups.get(group) ?? group),
  }
}

/** TLS sessions can be resumed within one context, which all tasks share. */
const sessionIdContext = 'mailflow'

/** The time in which a TLS session can be resumed. Ticket keys rotate at the same interval. */
const sessionTimeoutSeconds = 3600

/**
 * @param keys PEM blocks
 * @param certificates PEM blocks: the certificate of each key, and issuers
 * @param ticketKeys 48 octets; null disables session resumption
 * @throws Error in one line that names the key or certificate that does not match
 */
export function serverTlsOptions(
  keys: string,
  certificates: string,
  ticketKeys: Buffer | null = null,
): TlsOptions {
  const identities = serverIdentities(keys, certificates)
  const { SSL_OP_NO_TICKET, SSL_OP_NO_RENEGOTIATION } = constants
  return {
    key: identities.map(({ key }) => key),
    cert: identities.map(({ cert }) => cert),
    minVersion,
    maxVersion,
    // No finite-field DHE: a client can make the server compute it with little work of its own (CVE-2002-20001).
    ciphers: cipherSuites.join(':'),
    ecdhCurve: groups,
    sigalgs: signatureAlgorithms,
    honorCipherOrder: true,
    // Requested but not required: large senders present certificates that no connector names, and their mail must be
    // accepted. The connectors check the certificates that they name.
    requestCert: true,
    rejectUnauthorized: false,
    ...(ticketKeys && { ticketKeys, sessionIdContext, sessionTimeout: sessionTimeoutSeconds }),
    secureOptions: SSL_OP_NO_RENEGOTIATION | (ticketKeys === null ? SSL_OP_NO_TICKET : 0),
  }
}
