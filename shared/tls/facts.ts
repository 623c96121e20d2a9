/**
 * Reads the result of a handshake from the ingress's socket. The client controls all content of its certificate, so the
 * facts are cut to limits before they become part of a job.
 */
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { type ClientCertificate, noTls, type TlsFacts } from '../contract/message.ts'
import { allowsClientAuth, allowsMail, chainsTo, chainsToForClients, isAmbiguous } from './chain.ts'
import { fingerprintOf } from './fingerprint.ts'
import { validFrom, validTo } from './validity.ts'

export const maxCertificates = 6
/** Limit for the DER of a chain. A larger chain is left out, and then no connector's own authority can verify it. */
const maxChainOctets = 24 * 1024
const maxNames = 100
/** More characters than any host name with a wildcard, so that a cut name never matches one. */
const maxNameLength = 300

/** The properties read from a TLSSocket, or from the substitute in a test. */
export type HandshakeView = Pick<
  TLSSocket,
  'getProtocol' | 'getCipher' | 'getPeerX509Certificate' | 'authorized' | 'authorizationError'
> & { servername?: string | false | null }

/** Trust anchors and time, for certificates that OpenSSL's check does not decide. */
export interface TrustContext {
  /** In PEM. Pass the same array each time, because parsed certificates are cached by array identity. */
  publicRoots: readonly string[]
  at: Date
}

/**
 * Call only once per handshake: only the first call of `getPeerX509Certificate` returns a certificate with its issuers.
 */
export function readTlsFacts(socket: HandshakeView, trust: TrustContext): TlsFacts {
  const cipher = socket.getCipher()?.standardName ?? null
  const certificate = socket.getPeerX509Certificate()
  return {
    ...noTls,
    negotiated: true,
    protocol: socket.getProtocol(),
    cipher,
    forwardSecrecy: cipher !== null && hasForwardSecrecy(cipher),
    serverName: socket.servername ? socket.servername.slice(0, maxNameLength) : null,
    clientCertificate: certificate ? readCertificate(certificate, socket, trust) : null,
  }
}

/** Treats an unreadable certificate as none: it grants nothing, and mail is handled as if none was presented. */
function readCertificate(
  certificate: X509Certificate,
  socket: HandshakeView,
  trust: TrustContext,
): ClientCertificate | null {
  try {
    const chain = presentedChain(certificate)
    return describeCertificate(certificate, chain, assessTrust(certificate, chain, socket, trust))
  } catch {
    return null
  }
}

type Assessment = Pick<ClientCertificate, 'trusted' | 'trustError' | 'clientAuth'>

/**
 * OpenSSL requires the client purpose, for which public authorities stop issuing certificates (2025–2027). Node lets
 * OpenSSL continue after an error and reports the last error. OpenSSL checks the purpose before signatures, dates and
 * name constraints. So when INVALID_PURPOSE is the last error, signatures, dates and name constraints are good. But
 * INVALID_PURPOSE may have replaced an earlier error: an issuer that is unknown, is no authority, or exceeds a path
 * length. So the chain is verified again, to a public root, for the server purpose or the client purpose.
 *
 * This second check ignores name constraints, so it must follow the same path as OpenSSL. The attack: a
 * name-constrained authority issues itself a second certificate with the same name and key, without the constraint.
 * OpenSSL checks one path, and chainsTo accepts the other. So a chain with two possible paths is not trusted.
 */
function assessTrust(
  certificate: X509Certificate,
  chain: readonly string[],
  { authorized, authorizationError }: HandshakeView,
  { publicRoots, at }: TrustContext,
): Assessment {
  if (authorized) return { trusted: true, trustError: null, clientAuth: true }
  const trustError = String(authorizationError ?? 'UNKNOWN').slice(0, 64)
  if (trustError !== 'INVALID_PURPOSE')
    return { trusted: false, trustError, clientAuth: allowsClientAuth(certificate) }
  const trusted = !isAmbiguous(chain) && chainsTo(chain, publicRoots, at)
  return { trusted, trustError: trusted ? null : trustError, clientAuth: false }
}

/**
 * The facts that a handshake would find about a certificate that is not presented yet. Name constraints are not
 * checked.
 * @param chain leaf first
 */
export function predictCertificateFacts(
  chain: readonly [X509Certificate, ...X509Certificate[]],
  { publicRoots, at }: TrustContext,
): ClientCertificate {
  const encoded = chain.map(({ raw }) => raw.toString('base64'))
  return describeCertificate(chain[0], encoded, predictAssessment(chain, encoded, { publicRoots, at }))
}

function predictAssessment(
  chain: readonly [X509Certificate, ...X509Certificate[]],
  encoded: readonly string[],
  { publicRoots, at }: TrustContext,
): Assessment {
  if (chainsToForClients(encoded, publicRoots, at))
    return { trusted: true, trustError: null, clientAuth: true }
  if (!isAmbiguous(encoded) && chainsTo(encoded, publicRoots, at))
    return { trusted: true, trustError: null, clientAuth: false }
  return {
    trusted: false,
    trustError: predictTrustError(chain, at),
    clientAuth: chain.every(allowsClientAuth),
  }
}

/**
 * Returns OpenSSL's codes, like the trace of a real message. The chain is followed in its order, from each certificate
 * to the next one that issued it.
 */
function predictTrustError(chain: readonly [X509Certificate, ...X509Certificate[]], at: Date): string {
  const [leaf] = chain
  if (at > validTo(leaf)) return 'CERT_HAS_EXPIRED'
  if (at < validFrom(leaf)) return 'CERT_NOT_YET_VALID'
  if (!allowsMail(leaf)) return 'INVALID_PURPOSE'
  const top = chain.reduce((below, next) => (below.checkIssued(next) ? next : below))
  const selfSigned = top.checkIssued(top)
  if (top === leaf) return selfSigned ? 'DEPTH_ZERO_SELF_SIGNED_CERT' : 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  return selfSigned ? 'SELF_SIGNED_CERT_IN_CHAIN' : 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'
}

/**
 * The name of a TLS 1.3 suite contains no key exchange. Every public-key exchange of TLS 1.3 has forward secrecy (RFC
 * 8446 §1.2).
 */
export function hasForwardSecrecy(cipher: string): boolean {
  return /^TLS_(?!.*_WITH_)/.test(cipher) || /^TLS_(EC)?DHE_/.test(cipher)
}

function describeCertificate(
  certificate: X509Certificate,
  chain: string[],
  assessment: Assessment,
): ClientCertificate {
  const names = dnsNames(certificate.subjectAltName ?? '')
  return {
    subject: distinguishedName(certificate.subject),
    commonName: commonNameOf(certificate),
    subjectAltNames: names.slice(0, maxNames).map((name) => name.slice(0, maxNameLength)),
    issuer: distinguishedName(certificate.issuer),
    serial: certificate.serialNumber.slice(0, 64),
    fingerprint256: fingerprintOf(certificate),
    notBefore: validFrom(certificate).toISOString(),
    notAfter: validTo(certificate).toISOString(),
    ...assessment,
    chain,
  }
}

/**
 * The dNSName entries of Node's text, `DNS:a.example, IP Address:192.0.2.1, DNS:"odd, value"`. Node quotes entries with
 * separators in them, so a quoted text is one entry, and never a host name.
 */
export function dnsNames(subjectAltName: string): string[] {
  const entries = subjectAltName.matchAll(/(?:^|, )([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?=, |$)/g)
  return [...entries].flatMap(([, kind, value]) => (kind === 'DNS' && value ? [value] : []))
}

/** Repairs the end: the cut may split a surrogate pair, and no store accepts half a pair. */
function distinguishedName(multiline: string): string {
  return (multiline ?? '').replaceAll('\n', ', ').slice(0, 1024).toWellFormed()
}

/**
 * The subject's common name. It is used as the host name if the certificate has no alternative names. Null if there are
 * alternative names without a host name among them: an S/MIME certificate may bear any common name. Of several common
 * names the last is returned, which is the most specific.
 */
export function commonNameOf(certificate: X509Certificate): string | null {
  const alternatives = certificate.subjectAltName
  if (alternatives !== undefined && dnsNames(alternatives).length === 0) return null
  const names = (certificate.subject ?? '').split('\n').filter((part) => part.startsWith('CN='))
  return names.at(-1)?.slice('CN='.length, maxNameLength).toWellFormed() ?? null
}

function presentedChain(leaf: X509Certificate): string[] {
  const chain: Buffer[] = []
  let octets = 0
  for (
    let certificate: X509Certificate | undefined = leaf;
    certificate !== undefined && chain.length < maxCertificates;
    certificate = certificate.issuerCertificate
  ) {
    octets += certificate.raw.length
    if (octets > maxChainOctets) return []
    chain.push(certificate.raw)
  }
  return chain.map((der) => der.toString('base64'))
}
