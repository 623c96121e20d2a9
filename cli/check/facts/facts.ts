/** What was seen of a server or in a file, before anybody judges it. */
import type { X509Certificate } from 'node:crypto'
import type { Reply } from '../../../shared/contract/message.ts'
import type { Milestone } from '../../../shared/net/gated-connection.ts'
import type { RevocationSource } from '../../../shared/tls/revocation/status.ts'
import type { Told } from '../../../shared/tls/revocation/told.ts'
import type { EstablishedTls, ServerTls } from '../../../shared/tls/server-certificate.ts'
import type { Target } from '../target.ts'
import type { Path } from './certificate-path.ts'

export interface Facts {
  readonly at: Date
  /** Null where the certificates are in a file. */
  readonly server: ServerFacts | null
  /** Null where none were seen. */
  readonly certificates: CertificateFacts | null
  /** What the certificate is to be for; null where nobody said. */
  readonly expected: string | null
}

export interface ServerFacts {
  readonly target: Target
  readonly addresses: Addresses
  /** In the order in which they were tried. Only the last can have come further than `Dialled`. */
  readonly openings: readonly Opening[]
  /** Null where it was not asked for. */
  readonly extra: Extra | null
}

export type Addresses =
  | { readonly kind: 'Given' }
  | { readonly kind: 'Found'; readonly ips: readonly string[] }
  /** `exchanges`: the mail servers of the domain of this name, if it is one. */
  | { readonly kind: 'Failed'; readonly cause: string; readonly exchanges: readonly string[] }

/** One session, opened as a delivery opens it. */
export interface Opening {
  readonly ip: string
  readonly reached: Milestone
  /** What the server said first; null where it did not. */
  readonly greeting: string | null
  /** Until the TCP connection stood. */
  readonly milliseconds: number | null
  readonly outcome:
    | { readonly kind: 'Failed'; readonly reply: Reply }
    | { readonly kind: 'Tls'; readonly tls: ServerTls }
}

/** What handshakes show that a delivery never makes. */
export interface Extra {
  /** With TLS 1.0 and 1.1 only; after a failure with any version and cipher suite. */
  readonly old: Handshake
  /** The OCSP response that the server sends along (RFC 6066 §8), DER; null for none. */
  readonly staple: Buffer | null
}

export type Handshake =
  | { readonly kind: 'Done'; readonly protocol: string; readonly cipher: string }
  /** The server, or OpenSSL, ended it. */
  | { readonly kind: 'Refused'; readonly cause: string }
  /** It never came to it. */
  | { readonly kind: 'Untried'; readonly cause: string }

export interface CertificateFacts {
  /** As they came, leaf first. Never empty. */
  readonly presented: readonly X509Certificate[]
  readonly path: Path
  readonly trust: Trust
  readonly issuers: readonly IssuerFacts[]
  readonly sources: readonly SourceFacts[]
  readonly staple: Told | null
}

/** As OpenSSL says, which deliveries go by; of a file, as it would say as far as that can be told. */
export interface Trust {
  readonly trusted: boolean
  /** OpenSSL's reason. */
  readonly error: string | null
  /** Null for a file. */
  readonly tls: EstablishedTls | null
}

/** What was found where a certificate says that its issuer's is (RFC 5280 §4.2.2.1). */
export interface IssuerFacts {
  /** Whose address it is. */
  readonly of: X509Certificate
  readonly url: string
  readonly answer:
    | { readonly kind: 'Found'; readonly certificates: readonly X509Certificate[] }
    /** For people. */
    | { readonly kind: 'Failed'; readonly detail: string }
}

/** What is said of one certificate where it names a place to ask whether it was revoked. */
export interface SourceFacts {
  readonly certificate: X509Certificate
  /** How many it names. */
  readonly places: number
  /** Null where nobody could be asked, since its issuer is not known. */
  readonly sources: readonly RevocationSource[] | null
}
