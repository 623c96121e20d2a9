/** Derives the certificates that the ingress serves now and next from the published certificates. */
import type { PublishedCertificates } from '../../shared/contract/certificates.ts'
import type { ServedCertificate } from '../../shared/policy/certificate-expiry.ts'
import { recordOfPem } from '../../shared/tls/observed/certificate-record.ts'
import type { NewObservation } from '../../shared/tls/observed/observation.ts'

/** The argument must describe the current state (`descriptionAt`). */
export function servedCertificatesOf({ certificates }: PublishedCertificates): ServedCertificate[] {
  return certificates
    .filter(({ state }) => state === 'Current')
    .map(({ fingerprint256, keyType }) => {
      const next = certificates.find(
        (certificate) => certificate.state === 'Next' && certificate.keyType === keyType,
      )
      const successor =
        next?.servedFrom == null
          ? null
          : {
              fingerprint256: next.fingerprint256,
              servedFrom: next.servedFrom,
              notAfter: next.validUntil,
            }
      return { fingerprint256, successor }
    })
}

/** The first argument must describe the state as of `at` (`descriptionAt`). */
export function observationsOfServed(
  { hostname, certificates }: PublishedCertificates,
  at: Date,
): NewObservation[] {
  return certificates
    .filter(({ state }) => state === 'Current')
    .flatMap(({ chain }) => {
      const certificate = recordOfPem(chain)
      const endpoint = { kind: 'Own' as const, connector: null, domain: null, host: hostname }
      return certificate === null ? [] : [{ endpoint, certificate, verifiedBy: null, at }]
    })
}
