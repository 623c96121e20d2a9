/** Every CRL and every OCSP responder that the certificates of a path name, asked about them at this moment. */
import type { X509Certificate } from 'node:crypto'
import { askSource, type Place, placesOf } from '../../../shared/net/revocation/ask-source.ts'
import type { Path } from './certificate-path.ts'
import type { SourceFacts } from './facts.ts'
import { reachableNetworks } from './fetch-options.ts'
import { systemResolver } from './system-resolver.ts'

/** Of one certificate. */
const mostPlaces = 8
/** A list may have some megabytes. */
const mostAtOnce = 6

/** One entry for each certificate but the root, leaf first. Never throws. */
export async function askSources({ steps, anchor }: Path, at: Date, timeout: number): Promise<SourceFacts[]> {
  const certificates = steps.map(({ certificate }) => certificate)
  const asked = certificates.flatMap((certificate, index) => {
    const issuer = certificates[index + 1] ?? anchor?.certificate ?? null
    // A root is trusted or not; nobody revokes it.
    return isTop(certificate, issuer)
      ? []
      : [{ certificate, issuer, places: placesOf(certificate).slice(0, mostPlaces) }]
  })
  const limited = limit(mostAtOnce)
  return Promise.all(
    asked.map(async ({ certificate, issuer, places }) => ({
      certificate,
      places: places.length,
      sources:
        issuer === null
          ? null
          : await Promise.all(
              places.map((place: Place) =>
                limited(() =>
                  askSource(
                    place,
                    { certificate, issuer, at },
                    { resolver: systemResolver, privateNetworks: reachableNetworks, whole: timeout },
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

/** Runs so many at once, the others as these end. */
function limit(most: number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (task) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    running += 1
    try {
      return await task()
    } finally {
      running -= 1
      waiting.shift()?.()
    }
  }
}
