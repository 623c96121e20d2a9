/** Whether a TLSA record matches a certificate of the ingress, as it is published. */
import { X509Certificate } from 'node:crypto'
import type { PublishedCertificate } from '../contract/certificates.ts'
import { isUsable, matchesTlsa } from './dane.ts'
import { certificatesIn } from './pem.ts'
import type { TlsaRecord } from './requirement.ts'

/** @param now the time at which certificates must be valid; a next certificate is checked when its validity begins */
export function hasMatchingRecord(
  { chain, subjectAltNames, validFrom }: PublishedCertificate,
  records: readonly TlsaRecord[],
  host: string,
  now: Date,
): boolean {
  const usable = records.filter(isUsable)
  if (usable.length === 0) return false
  const ders = certificatesIn(chain).map((pem) => new X509Certificate(pem).raw.toString('base64'))
  const at = new Date(Math.max(now.getTime(), Date.parse(validFrom)))
  return matchesTlsa(usable, ders, { subjectAltNames, commonName: null }, [host], at)
}
