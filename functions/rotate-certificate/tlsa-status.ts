/**
 * Decides from the host's TLSA records when the next certificates may be used (RFC 7671 §8.1). Pure. Fault to avoid: the
 * key changes before all senders know the record of the next key; senders that use DANE then deliver no mail. Defence:
 * the next certificates wait until their records have been visible for two TTLs, at most until the current certificate
 * expires. Not covered: certificates that an administrator writes in place of the current ones.
 */
import type { IngressCertificates, TlsaStatus } from '../../shared/contract/certificates.ts'
import { dayMs } from '../../shared/contract/durations.ts'
import { earliestExpiry } from '../../shared/tls/certificate-choice.ts'
import { isUsable } from '../../shared/tls/dane.ts'
import { describeCertificates } from '../../shared/tls/describe-certificates.ts'
import { hasMatchingRecord } from '../../shared/tls/has-matching-record.ts'
import type { TlsaRecord } from '../../shared/tls/requirement.ts'

export type TlsaLookup =
  /** No record that senders would use: proven absent, or in an unsigned zone. */
  | { kind: 'None' }
  /** `ttlSeconds`: the TTL of the records in their zone. */
  | { kind: 'Records'; records: readonly TlsaRecord[]; ttlSeconds: number }
  /** With a validating resolver, the failure counts: senders that validate would not deliver after it either. */
  | { kind: 'Failed'; detail: string; isResolverValidating: boolean }

export interface TlsaContext {
  hostname: string
  now: Date
  /** The status at the last run. */
  previous: TlsaStatus | null
}

/**
 * An EC and an RSA certificate both need a matching record, because a client may negotiate either.
 * @param certificate the next certificates in PEM, with their issuers
 * @returns null when no TLSA record restricts the next certificates
 */
export function tlsaStatusOf(
  certificate: string,
  lookup: TlsaLookup,
  { hostname, now, previous }: TlsaContext,
): TlsaStatus | null {
  const { certificates, tlsaRecords } = describeCertificates(
    { certificate, deprecated: [] },
    { hostname, now },
  )
  const isSameKeys = previous?.records.join() === tlsaRecords.join()
  const statusSince = (state: TlsaStatus['state'], waitSeconds: number | null): TlsaStatus => {
    const since = isSameKeys && previous?.state === state ? previous.since : now.toISOString()
    const usableFrom =
      waitSeconds === null ? null : new Date(Date.parse(since) + waitSeconds * 1000).toISOString()
    return { state, since, usableFrom, records: tlsaRecords }
  }
  if (lookup.kind === 'None') return null
  if (lookup.kind === 'Failed')
    return lookup.isResolverValidating || previous ? statusSince('Unknown', null) : null
  const { records, ttlSeconds } = lookup
  // RFC 7672 §2.2: without a usable record, senders require TLS and accept any certificate.
  if (!records.some(isUsable)) return null
  const isMatching = certificates.every((each) => hasMatchingRecord(each, records, hostname, now))
  // RFC 7671 §8.1: two TTLs. Caches may hold the previous records for one; the second allows for secondary servers.
  return isMatching ? statusSince('Visible', 2 * ttlSeconds) : statusSince('Missing', null)
}

/**
 * Next certificates are held from this time before the planned date. Before it, they keep the announced date. If no
 * run succeeds in this time, the tasks switch at the announced date.
 */
const holdBeforeMs = dayMs

/**
 * Postpones the next certificates while the status requires it, and keeps the planned date in `plannedFrom`. Held
 * certificates get the expiry of the current ones as their date: all senders that verify refuse an expired certificate,
 * and an attacker who disturbs the DNS lookups cannot delay the rotation further. Next certificates that expire before
 * the current ones get their own expiry, because no certificate may be planned for a time when it is invalid.
 * @returns the same object when no date changes
 */
export function scheduleNext(
  set: IngressCertificates,
  status: TlsaStatus | null,
  now: Date,
): IngressCertificates {
  const { next } = set
  const [currentEnd, nextEnd] = [set, next].map((each) => (each ? earliestExpiry(each) : null))
  if (!next || !currentEnd || !nextEnd) return set
  const lastDate = Math.min(currentEnd.getTime(), nextEnd.getTime())
  const { certificate, privateKey, ...dates } = next
  const planned = Date.parse(dates.plannedFrom ?? dates.servedFrom)
  const usable = earliestUse(status, planned, now.getTime()) ?? lastDate
  // Held certificates get no earlier date than now: such a date would claim that the tasks already used them.
  const released = dates.plannedFrom === undefined ? usable : Math.max(usable, now.getTime())
  const from = Math.max(planned, Math.min(released, lastDate))
  const servedFrom = new Date(from).toISOString()
  const plannedFrom = from > planned ? new Date(planned).toISOString() : undefined
  if (from === Date.parse(dates.servedFrom) && plannedFrom === dates.plannedFrom) return set
  return { ...set, next: { certificate, privateKey, servedFrom, ...(plannedFrom && { plannedFrom }) } }
}

/** @returns milliseconds since the epoch; null for certificates that are held */
function earliestUse(status: TlsaStatus | null, planned: number, now: number): number | null {
  if (status === null) return planned
  if (status.usableFrom !== null) return Math.max(planned, Date.parse(status.usableFrom))
  return planned - now > holdBeforeMs ? planned : null
}

/**
 * Whether an administrator must act: publish a record, or make the lookup of a held certificate possible.
 * @param isAutomatic whether the function publishes the records; then they are missing at first without a fault
 */
export const needsAdministrator = (
  status: TlsaStatus | null,
  { next }: IngressCertificates,
  isAutomatic: boolean,
): boolean =>
  (status?.state === 'Missing' && !isAutomatic) ||
  (status !== null && status.state !== 'Visible' && next?.plannedFrom !== undefined)
