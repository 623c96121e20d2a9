/** The facts about a server or a file, before assessment. */
import type { X509Certificate } from 'node:crypto'
import type { Reply } from '../../../shared/contract/message.ts'
import type { Milestone } from '../../../shared/net/smtp/negotiation.ts'
import type { EstablishedTls, ServerTls } from '../../../shared/tls/assess-server-tls.ts'
import type { ReportedRevocation } from '../../../shared/tls/revocation/reported-revocation.ts'
import type { RevocationSource } from '../../../shared/tls/revocation/status.ts'
import type { Target } from '../target.ts'
import type { Path } from './certificate-path.ts'

export interface Facts {
  readonly at: Date
  /** Null for a file. */
  readonly server: ServerFacts | null
  /** Null when the server presented no certificate. */
  readonly certificates: CertificateFacts | null
  /** The name that the certificate must have; null when no name is given. */
  readonly expected: string | null
}

export interface ServerFacts {
  readonly target: Target
  readonly addresses: Addresses
  /** In the order of the attempts. Only the last attempt can be past `Dialled`. */
  readonly attempts: readonly SessionAttempt[]
  /** Null when the extra handshakes were not tried. */
  readonly probes: HandshakeProbes | null
}

export type Addresses =
  | { readonly kind: 'Given' }
  | { readonly kind: 'Found'; readonly ips: readonly string[] }
  /** `mxHosts`: the MX hosts, if the name is a mail domain. */
  | { readonly kind: 'Failed'; readonly cause: string; readonly mxHosts: readonly string[] }

/** One session, opened like a delivery. */
export interface SessionAttempt {
  readonly ip: string
  readonly reached: Milestone
  /** Null when the server sent no greeting. */
  readonly greeting: string | null
  /** Duration of the TCP connect in milliseconds. */
  readonly connectMs: number | null
  /** Null when the session has no TLS, or the server does not announce CHUNKING. */
  readonly chunking: ChunkingSupport | null
  readonly outcome:
    | { readonly kind: 'Failed'; readonly reply: Reply }
    | { readonly kind: 'Tls'; readonly tls: ServerTls }
}

/** The result of BDAT at a server that announces CHUNKING. */
export type ChunkingSupport =
  | { readonly kind: 'Accepted' }
  | { readonly kind: 'Refused'; readonly serverReply: string }
  /** The server has not replied. */
  | { readonly kind: 'NotTested' }

/** Results of handshakes that a delivery never makes. */
export interface HandshakeProbes {
  /**
   * The handshake with TLS 1.0 and 1.1 only. If the handshake of the session failed, this handshake allowed every
   * version and cipher suite instead.
   */
  readonly legacyTls: Handshake
  /** The stapled OCSP response (RFC 6066 §8), DER; null when the server staples none. */
  readonly staple: Buffer | null
}

export type Handshake =
  | { readonly kind: 'Done'; readonly protocol: string; readonly cipher: string }
  /** The server or OpenSSL aborted the handshake. */
  | { readonly kind: 'Refused'; readonly cause: string }
  /** The connection failed before the handshake, or the handshake timed out. */
  | { readonly kind: 'NotTested'; readonly cause: string }

export interface CertificateFacts {
  /** The certificates in the server's order, leaf first. Never empty. */
  readonly presented: readonly X509Certificate[]
  readonly path: Path
  readonly trust: Trust
  readonly issuers: readonly IssuerFacts[]
  readonly sources: readonly SourceFacts[]
  readonly staple: ReportedRevocation | null
}

/** Whether OpenSSL trusts the chain, as in a delivery. For a file the result is predicted without a handshake. */
export interface Trust {
  readonly trusted: boolean
  /** OpenSSL's error code. */
  readonly error: string | null
  /** Null for a file. */
  readonly tls: EstablishedTls | null
}

/** The result of fetching an issuer URL (RFC 5280 §4.2.2.1). */
export interface IssuerFacts {
  /** The certificate that names the URL. */
  readonly certificate: X509Certificate
  readonly url: string
  readonly result:
    | { readonly kind: 'Found'; readonly certificates: readonly X509Certificate[] }
    | { readonly kind: 'Failed'; readonly detail: string }
}

/** The revocation status of one certificate from each of its URLs. */
export interface SourceFacts {
  readonly certificate: X509Certificate
  /** The number of URLs. */
  readonly urlCount: number
  /** Null when the issuer is unknown, so no URL was fetched. */
  readonly sources: readonly RevocationSource[] | null
}
