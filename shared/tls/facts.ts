/**
 * Reads the result of a handshake from the ingress's socket. The client controls all content of its certificate, so the
 * facts are cut to limits before they become part of a job.
 */
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { type ClientCertificate, noTls, type TlsFacts } from '../contract/message.ts'
import { chainFault, noPathFault, trustErrorOf } from './chain.ts'
import { fingerprintOf } from './fingerprint.ts'
import { commonNameOf, dnsNames, maxNameLength } from './names.ts'
import { allowsClientAuth, allowsMail, mailPurposes } from './purpose.ts'
import { validFrom, validTo } from './validity.ts'

export const maxCertificates = 6
/** Limit for the DER of a chain. A larger chain is left out, and then no connector's own authority can verify it. */
const maxChainOctets = 24 * 1024
const maxNames = 100

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
 * OpenSSL requires the client purpose, for which public authorities stop issuing certificates (2025–2027). So a chain
 * with the fault INVALID_PURPOSE can be trusted for the server purpose. Node lets OpenSSL continue after an error and
 * reports the last error, so INVALID_PURPOSE may have replaced an earlier one, such as a weak key. The attack: a
 * certificate for servers hides a fault that OpenSSL would report. The defence: chainFault finds a path without any
 * fault, whatever OpenSSL found.
 */
function assessTrust(
  certificate: X509Certificate,
  chain: readonly string[],
  { authorized, authorizationError }: HandshakeView,
  { publicRoots, at }: TrustContext,
): Assessment {
  const code = authorized ? null : String(authorizationError ?? 'UNKNOWN').slice(0, 64)
  const findFault = () => chainFault(mailPurposes, chain, publicRoots, at)
  if (code !== null && code !== 'INVALID_PURPOSE')
    return {
      trusted: false,
      trustError: trustErrorOf(code, findFault),
      clientAuth: allowsClientAuth(certificate),
    }
  const fault = findFault()
  const trustError = fault === noPathFault ? (code ?? fault) : fault
  return { trusted: fault === null, trustError, clientAuth: authorized }
}

/**
 * The facts that a handshake would find about a certificate that is not presented yet.
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
  if (chainFault(['Client'], encoded, publicRoots, at) === null)
    return { trusted: true, trustError: null, clientAuth: true }
  const fault = chainFault(mailPurposes, encoded, publicRoots, at)
  return fault === null
    ? { trusted: true, trustError: null, clientAuth: false }
    : {
        trusted: false,
        trustError: predictTrustError(chain, fault, at),
        clientAuth: chain.every(allowsClientAuth),
      }
}

/**
 * Returns OpenSSL's code for the common faults, like the trace of a real message, otherwise the fault itself. Without a
 * path, the chain is followed in its order, from each certificate to the next one that issued it.
 */
function predictTrustError(
  chain: readonly [X509Certificate, ...X509Certificate[]],
  fault: string,
  at: Date,
): string {
  const [leaf] = chain
  if (at > validTo(leaf)) return 'CERT_HAS_EXPIRED'
  if (at < validFrom(leaf)) return 'CERT_NOT_YET_VALID'
  if (!allowsMail(leaf)) return 'INVALID_PURPOSE'
  if (fault !== noPathFault) return fault
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
    chain: chainWithinLimit(chain),
  }
}

/** Repairs the end: the cut may split a surrogate pair, and no store accepts half a pair. */
function distinguishedName(multiline: string): string {
  return (multiline ?? '').replaceAll('\n', ', ').slice(0, 1024).toWellFormed()
}

function presentedChain(leaf: X509Certificate): string[] {
  const chain: string[] = []
  for (
    let certificate: X509Certificate | undefined = leaf;
    certificate !== undefined && chain.length < maxCertificates;
    certificate = certificate.issuerCertificate
  )
    chain.push(certificate.raw.toString('base64'))
  return chain
}

function chainWithinLimit(chain: string[]): string[] {
  const octets = chain.reduce((sum, encoded) => sum + Buffer.byteLength(encoded, 'base64'), 0)
  return octets > maxChainOctets ? [] : chain
}
