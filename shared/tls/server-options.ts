/**
 * How mailflow serves TLS. The attack: recorded traffic decrypted later, with a stolen key or a future
 * computer; a client talked down to something weak. The defence: only key exchange with forward secrecy, hybrid
 * post-quantum first; only AEAD ciphers; nothing below TLS 1.2; the server picks. The limit: a client that can
 * do none of this gets no TLS, and whether its mail is then taken in the clear is for the connectors to say.
 */
import { constants } from 'node:crypto'
import type { TlsOptions } from 'node:tls'
import { serverIdentities } from './server-identity.ts'
import { cipherSuites, ianaNameOf } from './suites.ts'

/**
 * In OpenSSL's notation a slash ends what may be weighed against a round trip: a client that can do the hybrid
 * group but guessed another is asked again (RFC 8446 §4.1.4); among the others its guess is taken.
 */
const groups = 'X25519MLKEM768/X25519:P-256:P-384'

const minVersion = 'TLSv1.2'
const maxVersion = 'TLSv1.3'

/** By OpenSSL's. */
const ianaGroups = new Map([
  ['X25519MLKEM768', 'X25519MLKEM768'],
  ['X25519', 'x25519'],
  ['P-256', 'secp256r1'],
  ['P-384', 'secp384r1'],
])

/**
 * What the options below come to for clients, by the names of IANA's registry, most wanted first.
 * @param keyTypes of the certificates that are served: `RSA`, or another, which signs as ECDSA does
 */
export function servedProtocol(keyTypes: readonly string[]) {
  const signed = { RSA: keyTypes.includes('RSA'), ECDSA: keyTypes.some((type) => type !== 'RSA') }
  const isServed = (suite: string) =>
    suite.startsWith('TLS_') || (suite.startsWith('ECDHE-RSA-') ? signed.RSA : signed.ECDSA)
  return {
    versions: [maxVersion, minVersion],
    cipherSuites: cipherSuites.filter(isServed).map(ianaNameOf),
    groups: groups.split(/[/:]/).map((group) => ianaGroups.get(group) ?? group),
  }
}

/** Sessions resume within a context, and this is ours in every worker of every task. */
const sessionIdContext = 'mailflow'

/** Seconds; the keys of tickets change as often. */
const sessionTimeout = 3600

/**
 * @param keys PEM blocks @param certificates PEM blocks: the certificate of each key, and issuers
 * @param ticketKeys 48 octets; without them no session is resumed
 * @throws Error in one line: what does not fit together
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
    // Without finite-field DHE, whose cost an attacker chooses.
    ciphers: cipherSuites.join(':'),
    ecdhCurve: groups,
    honorCipherOrder: true,
    // Asked of everyone, demanded of nobody: large senders present certificates that no connector names, and
    // their mail must flow. A connector that names one decides for itself.
    requestCert: true,
    rejectUnauthorized: false,
    ...(ticketKeys && { ticketKeys, sessionIdContext, sessionTimeout }),
    secureOptions: SSL_OP_NO_RENEGOTIATION | (ticketKeys === null ? SSL_OP_NO_TICKET : 0),
  }
}
