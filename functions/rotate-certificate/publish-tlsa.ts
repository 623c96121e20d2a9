/**
 * Publishes the TLSA records of the ingress's keys in the zone of the setting `tlsa.hostedZoneId`. They follow from the
 * published certificates, the time and the existing records, so the next run completes one that stopped. Fault to avoid:
 * senders refuse a key because its record is missing. Defence: records are added when a certificate is announced, and
 * removed two TTLs and an hour after its successor is in use. A record of an unknown key stays: a previous gateway of
 * this name may serve it, or a certificate in a part of the secret that cannot be read now.
 */
import type { PublishedCertificates } from '../../shared/contract/certificates.ts'
import type { TlsaRecordSet } from './route53-zone.ts'

export interface TlsaZone {
  readonly id: string
  signingStatus(): Promise<string>
  read(name: string): Promise<TlsaRecordSet | null>
  write(name: string, set: TlsaRecordSet): Promise<void>
}

/** The TTL of a new record set. An existing set keeps its own. */
const defaultTtlSeconds = 3600

/** Longer than the tasks need to read the secret after an unannounced replacement. */
const switchMs = 3_600_000

/**
 * @param withdrawn the keys of certificates that were announced and are withdrawn. If a run stops, their records stay
 * @returns whether records were written
 * @throws Error when senders ignore the records: Route 53 does not sign the zone (RFC 7672 §2.2), or a record has a
 *   stronger digest (RFC 7671 §9)
 */
export async function publishTlsa(
  zone: TlsaZone,
  published: PublishedCertificates,
  now: Date,
  withdrawn: readonly string[] = [],
): Promise<boolean> {
  const status = await zone.signingStatus()
  if (status !== 'SIGNING')
    throw new Error(
      `tlsa.hostedZoneId: Route 53 does not sign the zone ${zone.id} (${status}). Enable DNSSEC signing, or remove the setting.`,
    )
  const name = `_25._tcp.${published.hostname}`
  const existing = await zone.read(name)
  const wanted = recordSetFor(published, existing, now, withdrawn)
  const isComplete = wanted.values.toSorted().join() === existing?.values.toSorted().join()
  if (!isComplete) await zone.write(name, wanted)
  if (wanted.values.some(hasStrongerDigest))
    throw new Error(
      `${name} has a record 3 1 2, so senders ignore 3 1 1 (RFC 7671 §9). Remove it when 3 1 1 has been visible for two TTLs.`,
    )
  return !isComplete
}

const hasStrongerDigest = (value: string): boolean => /^\s*3\s+1\s+2\s/.test(value)

/**
 * Removes only records `3 1 1` of known keys.
 * @param existing null when there is none
 * @param withdrawn SHA-256 of public keys
 */
export function recordSetFor(
  { certificates }: PublishedCertificates,
  existing: TlsaRecordSet | null,
  now: Date,
  withdrawn: readonly string[] = [],
): TlsaRecordSet {
  const { ttlSeconds, values } = existing ?? { ttlSeconds: defaultTtlSeconds, values: [] }
  const keepMs = 2 * ttlSeconds * 1000 + switchMs
  const isRecent = (servedUntil: string | null) =>
    servedUntil !== null && now.getTime() - Date.parse(servedUntil) < keepMs
  const distinctKeys = (selected: typeof certificates) =>
    new Set(selected.map(({ publicKeyFingerprint256 }) => publicKeyFingerprint256))
  const needed = distinctKeys(certificates.filter(({ state }) => state !== 'Deprecated'))
  const recent = distinctKeys(certificates.filter(({ servedUntil }) => isRecent(servedUntil)))
  const unneeded = distinctKeys(certificates).union(new Set(withdrawn)).difference(needed).difference(recent)
  const kept = values.filter((value) => !unneeded.has(digestOf(value) ?? ''))
  const added = [...needed].filter((digest) => !kept.some((value) => digestOf(value) === digest))
  return { ttlSeconds, values: [...kept, ...added.map((digest) => `3 1 1 ${digest}`)] }
}

/** Returns the SHA-256 of the public key; null for a record with other parameters than `3 1 1`. */
const digestOf = (value: string): string | null =>
  /^\s*3\s+1\s+1\s+([0-9a-f\s]+)$/i.exec(value)?.[1]?.replace(/\s/g, '').toLowerCase() ?? null
