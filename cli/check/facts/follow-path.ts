/**
 * Fetches issuer certificates from the URLs in certificates (RFC 5280 §4.2.2.1). Attack: an untrusted certificate names
 * an internal address, or a server whose response never ends. Defence: one GET for each URL, bounded in time and size;
 * a fetched certificate is used only if its key verifies the certificate below. Not covered: the request itself. It may
 * reach an address that only this machine can reach.
 */
import { X509Certificate } from 'node:crypto'
import { fetchUntrustedUrl } from '../../../shared/net/untrusted-http.ts'
import { readElements, readOnlyElement } from '../../../shared/tls/der.ts'
import { certificatesIn } from '../../../shared/tls/pem.ts'
import { readRevocationEndpoints } from '../../../shared/tls/revocation/endpoints.ts'
import { isSelfSigned } from '../../../shared/tls/unreadable-key.ts'
import { type Anchor, buildPath, type Path } from './certificate-path.ts'
import type { IssuerFacts } from './facts.ts'
import { fetchOptions } from './fetch-options.ts'

const maxResponseOctets = 262_144
/** Limit of URLs in one certificate. */
const maxUrls = 4
/** Limit of certificates in one response. */
const maxCertificates = 20
/** Limit of rounds. Each round fetches the issuers of all certificates on the path so far. */
const maxRounds = 4

type IssuerResult = IssuerFacts['result']

/** Follows a chain to a root, fetches missing issuers, and fetches every issuer URL of the path. */
export async function followPath(
  presented: readonly [X509Certificate, ...X509Certificate[]],
  anchors: readonly Anchor[],
  at: Date,
  timeout: number,
): Promise<{ path: Path; issuers: IssuerFacts[] }> {
  const results = new Map<string, Promise<IssuerResult>>()
  const fetchOnce = (url: string): Promise<IssuerResult> => {
    const result = results.get(url) ?? fetchCertificates(url, timeout)
    results.set(url, result)
    return result
  }
  let issuers: IssuerFacts[] = []
  let path = buildPath(presented, [], anchors, at)
  for (let round = 0; round < maxRounds; round += 1) {
    issuers = await Promise.all(
      path.steps
        .flatMap(({ certificate }) =>
          readRevocationEndpoints(certificate)
            .issuers.slice(0, maxUrls)
            .map((url) => ({ certificate, url })),
        )
        .map(async ({ certificate, url }) => ({ certificate, url, result: await fetchOnce(url) })),
    )
    if (isComplete(path)) break
    const extended = buildPath(presented, certificatesOf(issuers), anchors, at)
    if (extended.steps.length === path.steps.length) return { path: extended, issuers }
    path = extended
  }
  return { path, issuers }
}

const isComplete = ({ steps, anchor }: Path): boolean => {
  const top = steps.at(-1)
  return anchor !== null || top === undefined || isSelfSigned(top.certificate)
}

const certificatesOf = (issuers: readonly IssuerFacts[]): X509Certificate[] =>
  issuers.flatMap(({ result }) => (result.kind === 'Found' ? result.certificates : []))

async function fetchCertificates(url: string, timeout: number): Promise<IssuerResult> {
  const response = await fetchUntrustedUrl(fetchOptions(timeout, maxResponseOctets), url, { method: 'GET' })
  if (response.kind === 'Failed') return { kind: 'Failed', detail: response.detail }
  if (response.status !== 200) return { kind: 'Failed', detail: `HTTP status ${response.status}` }
  const certificates = parseCertificates(response.body).slice(0, maxCertificates)
  return certificates.length > 0
    ? { kind: 'Found', certificates }
    : { kind: 'Failed', detail: 'the response is not a certificate' }
}

/** Reads DER, PEM (which some servers send) or a CMS bag of certificates (RFC 5652 §5.1). */
function parseCertificates(octets: Buffer): X509Certificate[] {
  for (const read of [readDer, readPem, readBag]) {
    try {
      const certificates = read(octets)
      if (certificates.length > 0) return certificates
    } catch {
      // The octets have another format: try the next.
    }
  }
  return []
}

const readDer = (octets: Buffer): X509Certificate[] =>
  octets[0] === 0x30 ? [new X509Certificate(octets)] : []

const readPem = (octets: Buffer): X509Certificate[] =>
  certificatesIn(octets.toString('latin1')).map((pem) => new X509Certificate(pem))

function readBag(octets: Buffer): X509Certificate[] {
  const [, content] = readElements(readOnlyElement(octets).content)
  const signed = readElements(readOnlyElement(content?.content ?? Buffer.alloc(0)).content)
  const certificates = signed.find(({ tag }) => tag === 0xa0)
  return readElements(certificates?.content ?? Buffer.alloc(0)).map(
    ({ encoded: whole }) => new X509Certificate(whole),
  )
}
