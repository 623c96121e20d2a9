/** The types of mailauth's internal modules that mailflow uses; the package has types for its main module only. */
declare module 'mailauth/lib/dkim/dkim-verifier.js' {
  export interface BodyHasher {
    /** Octets of the canonical body that are hashed, and all of them. */
    bodyHashedBytes: number
    canonicalizedLength: number
    byteLength: number
    update(octets: Buffer): void
    digest(encoding: 'base64'): string
    setContentType(): void
    getMimeStructureStart(): undefined
  }
  interface KeyCache {
    get(
      type: string,
      name: string,
      minBits: undefined,
      options: { strict: boolean; hashAlgo: string },
    ): Promise<unknown>
  }
  interface SignatureField {
    type: 'DKIM' | 'ARC'
    skip?: string
    invalid?: string
    selector: string
    signingDomain: string
    hashAlgo: string
  }
  export interface SignatureStatus {
    result: string
    comment?: string | false
    underSized?: number
  }
  export interface SignatureResult {
    signingDomain?: string
    selector?: string
    signature?: string
    algo?: string
    status: SignatureStatus
  }
  interface ArcField {
    parsed: Record<string, { value: unknown } | undefined>
  }
  interface ArcSet {
    i: number
    'arc-seal': ArcField
    'arc-message-signature': ArcField
    messageSignature?: SignatureResult
  }
  export interface ArcData {
    chain: ArcSet[] | false
    lastEntry?: ArcSet
    error?: Error
  }
  export interface ParsedHeader {
    parsed: { key: string | null; line: Buffer }[]
    original: Buffer
  }
  export class DkimVerifier {
    constructor(options: { resolver: unknown; strict: boolean; curTime: Date })
    results: SignatureResult[]
    signatureHeaders: SignatureField[]
    bodyHashes: Map<string, BodyHasher>
    arc: ArcData
    keyCache: KeyCache
    messageHeaders(header: ParsedHeader): Promise<void>
    addBodyHash(canonicalization: string, algorithm: string, maxOctets: number | ''): string
    /** Reads the whole header section. */
    emitHeaders(octets: Buffer): Promise<void>
    verifySignature(...signature: unknown[]): Promise<SignatureResult>
    finish(): Promise<void>
  }
}

declare module 'mailauth/lib/arc/index.js' {
  import type { ArcData, ParsedHeader } from 'mailauth/lib/dkim/dkim-verifier.js'
  export function arc(
    data: ArcData,
    options: { resolver: unknown; strict: boolean },
  ): Promise<{ i: number | false; status: { result: string; comment?: string; policy?: object } }>
  export function createSeal(
    input: false,
    data: {
      headers: ParsedHeader
      arc: ArcData
      strict: boolean
      seal: {
        signingDomain: string
        selector: string
        privateKey: string
        bodyHash: string
        cv: string
        authResults: string
        signTime: Date
      }
    },
  ): Promise<{ headers: string[]; errors: { err: Error }[] }>
}

declare module 'mailauth/lib/dmarc/verify.js' {
  type Policy = 'none' | 'quarantine' | 'reject'
  export interface DmarcResponse {
    status: { result: string }
    policy?: Policy
    error?: string
    alignment?: { spf: { result?: string }; dkim: { result?: string } }
  }
  export function evaluateDmarc(options: {
    headerFrom: string[]
    fromFields: number
    spfDomains: string[]
    dkimDomains: string[]
    resolver: unknown
    strict: boolean
  }): Promise<{ response: DmarcResponse | false; dkimAligned?: Set<string> }>
}

declare module 'mailauth/lib/tools.js' {
  import type { ParsedHeader } from 'mailauth/lib/dkim/dkim-verifier.js'
  export function parseHeaders(octets: Buffer): ParsedHeader
}
