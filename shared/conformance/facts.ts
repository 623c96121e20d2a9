/** The measured facts about a server or a client, before they are compared with the standards. */
import type { Version } from './hello.ts'

/** Null means that a fact was not measured. */
export interface TlsServerFacts {
  readonly versions: readonly Version[] | null
  /** IANA names, in the server's order of preference. */
  readonly suites: { readonly tls12: readonly string[] | null; readonly tls13: readonly string[] | null }
  readonly groups: { readonly tls12: readonly string[] | null; readonly tls13: readonly string[] | null }
  /** Whether the server's order of suites decides in TLS 1.2; null also when it has only one suite. */
  readonly serverOrderDecides: boolean | null
  /** Size of the finite-field group; 0 without DHE suites. */
  readonly dhBits: number | null
  /** The hashes with which the server signs in TLS 1.2 when a client offers nothing better. */
  readonly weakSignatures: readonly ('SHA-1' | 'SHA-224')[] | null
  /** The ServerHello of TLS 1.2. */
  readonly hello: {
    readonly compression: boolean
    /** The types of the server's extensions. */
    readonly extensions: readonly number[]
  } | null
  readonly clientRenegotiation: 'Accepted' | 'Refused' | null
  /** The limits of a ticket of TLS 1.3; null also without a ticket. */
  readonly ticket: { readonly maxEarlyDataOctets: number; readonly lifetimeSeconds: number } | null
  readonly certificate: CertificateConformanceFacts | null
}

export interface CertificateConformanceFacts {
  /** The keys of the presented certificates without roots, such as `RSA 2048` or `prime256v1`, leaf first. */
  readonly keys: readonly string[]
  /** OpenSSL's names of their signature algorithms. */
  readonly signatures: readonly string[]
  readonly isTrusted: boolean
  readonly hasName: boolean
  readonly lifetimeDays: number
  readonly namesOcspResponder: boolean
  readonly isStapled: boolean
}

/** What a client offers in its ClientHello, and which servers' certificates it accepts. */
export interface TlsClientFacts {
  /** The versions that it offers for each `minimumTlsVersion` of a connector. */
  readonly versions: { readonly byDefault: readonly string[]; readonly tls13Required: readonly string[] }
  readonly suites: readonly string[]
  readonly groups: readonly string[]
  /** Signature schemes by their numbers. */
  readonly signatures: readonly number[]
  readonly compressionMethods: readonly number[]
  /** The types of the extensions. */
  readonly extensions: readonly number[]
  /** The enhanced status code of a delivery with `DomainValidation` to a server with this certificate; null: sent. */
  readonly verification: {
    readonly good: string | null
    readonly untrusted: string | null
    readonly otherName: string | null
  }
}

export interface MeasuredFacts {
  readonly server: TlsServerFacts
  readonly client: TlsClientFacts
}
