/** Fetches the CRLs and queries the OCSP responders that are named in the certificates of a path. */
import type { X509Certificate } from 'node:crypto'
import {
  querySource,
  type SourceLocation,
  sourceLocationsOf,
} from '../../../shared/net/revocation/query-source.ts'
import type { Path } from './certificate-path.ts'
import type { SourceFacts } from './facts.ts'
import { reachableNetworks } from './fetch-options.ts'
import { systemResolver } from './system-resolver.ts'

/** Limit of URLs in one certificate. */
const maxUrls = 8
/** Bounds memory: a CRL may have several megabytes. */
const maxConcurrent = 6

/** Returns one entry for each certificate except the root, leaf first. Never throws. */
export async function querySources(
  { steps, anchor }: Path,
  at: Date,
  timeout: number,
): Promise<SourceFacts[]> {
  const certificates = steps.map(({ certificate }) => certificate)
  const queries = certificates.flatMap((certificate, index) => {
    const issuer = certificates[index + 1] ?? anchor?.certificate ?? null
    // No source can revoke a root: only the trust store decides whether the root is trusted.
    return isTop(certificate, issuer)
      ? []
      : [{ certificate, issuer, locations: sourceLocationsOf(certificate).slice(0, maxUrls) }]
  })
  const limiter = createConcurrencyLimiter(maxConcurrent)
  return Promise.all(
    queries.map(async ({ certificate, issuer, locations }) => ({
      certificate,
      urlCount: locations.length,
      sources:
        issuer === null
          ? null
          : await Promise.all(
              locations.map((location: SourceLocation) =>
                limiter(() =>
                  querySource(
                    location,
                    { certificate, issuer, at },
                    { resolver: systemResolver, privateNetworks: reachableNetworks, totalMs: timeout },
                  ),
                ),
              ),
            ),
    })),
  )
}

const isTop = (certificate: X509Certificate, issuer: X509Certificate | null): boolean =>
  issuer?.fingerprint256 === certificate.fingerprint256 ||
  (issuer === null && certificate.checkIssued(certificate))

/** Limits the number of concurrent tasks; further tasks wait. */
function createConcurrencyLimiter(max: number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (task) => {
    if (running >= max) await new Promise<void>((resolve) => waiting.push(resolve))
    running += 1
    try {
      return await task()
    } finally {
      running -= 1
      waiting.shift()?.()
    }
  }
}
