/** Fetches one CRL or queries one OCSP responder about one certificate, without a cache. */
import type { X509Certificate } from 'node:crypto'
import { toSingleLine } from '../../mail/peer-text.ts'
import { maxCrlOctets, statusInCrl } from '../../tls/revocation/crl.ts'
import { readRevocationEndpoints } from '../../tls/revocation/endpoints.ts'
import { createOcspRequest, maxOcspOctets, statusInOcsp } from '../../tls/revocation/ocsp.ts'
import {
  type ReportedRevocation,
  type RevocationQuery,
  undetermined,
} from '../../tls/revocation/reported-revocation.ts'
import type { RevocationSource } from '../../tls/revocation/status.ts'
import { fetchUntrustedUrl } from '../untrusted-http.ts'
import type { UntrustedRequestOptions, UntrustedResponse } from '../untrusted-request.ts'

export type SourceLocation = Pick<RevocationSource, 'kind' | 'url'>

export type QueryOptions = Omit<UntrustedRequestOptions, 'limits'> & {
  /** Limits the whole request. The default permits a large CRL. */
  totalMs?: number
}

/** A CRL of some megabytes takes some seconds. */
const defaultTotalMs = { Crl: 20_000, Ocsp: 10_000 }
const idleTimeoutMs = 5_000
const maxOctets = { Crl: maxCrlOctets, Ocsp: maxOcspOctets }

/** Returns the certificate's OCSP responders, then its CRLs, because OCSP responses are shorter. */
export function sourceLocationsOf(certificate: X509Certificate): SourceLocation[] {
  const { ocsp, crl } = readRevocationEndpoints(certificate)
  return [
    ...ocsp.map((url): SourceLocation => ({ kind: 'Ocsp', url })),
    ...crl.map((url): SourceLocation => ({ kind: 'Crl', url })),
  ]
}

/** Never throws. */
export async function querySource(
  location: SourceLocation,
  question: RevocationQuery,
  options: QueryOptions,
): Promise<RevocationSource> {
  const { status, detail, nextUpdate } = await fetchStatus(location, question, options)
  return { ...location, status, detail: toSingleLine(detail, 250), nextUpdate }
}

async function fetchStatus(
  location: SourceLocation,
  question: RevocationQuery,
  options: QueryOptions,
): Promise<ReportedRevocation> {
  const body = location.kind === 'Ocsp' ? encodeRequest(question) : null
  if (body === undefined) return undetermined('No OCSP request can be made for this certificate')
  const { totalMs = defaultTotalMs[location.kind] } = options
  const limits = {
    totalMs,
    idleTimeoutMs: Math.min(idleTimeoutMs, totalMs),
    maxBodyOctets: maxOctets[location.kind],
  }
  const response = await fetchUntrustedUrl(
    { ...options, limits },
    location.url,
    body === null ? crlGet : { ...ocspPost, body },
  )
  return parseStatus(location, response, question)
}

const crlGet = { method: 'GET', headers: { Accept: 'application/pkix-crl' } } as const
const ocspPost = { method: 'POST', headers: { 'Content-Type': 'application/ocsp-request' } } as const

function encodeRequest(question: RevocationQuery): Buffer | undefined {
  try {
    return createOcspRequest(question)
  } catch {
    return undefined
  }
}

function parseStatus(
  { kind }: SourceLocation,
  response: UntrustedResponse,
  question: RevocationQuery,
): ReportedRevocation {
  if (response.kind === 'Failed') return undetermined(response.detail)
  if (response.status !== 200) return undetermined(`The server answered ${response.status}`)
  return kind === 'Crl' ? statusInCrl(response.body, question) : statusInOcsp(response.body, question)
}
