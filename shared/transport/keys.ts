/**
 * Keys of the transport table. The table's partitions:
 * - `policy#`: MTA-STS policies, by domain
 * - `sessions#`: counted sessions, by day and shard
 * - `destination#`: limits and leases of concurrent deliveries, by destination
 * - `ses#`: quota of Amazon SES, and its reservations
 * - `standing#`: which domains have proved that their servers accept mail
 * - `sent#`, `report#`: TLS reports sent and received, by day
 * - `summary#`: summaries sent, by day
 * - `rate#`: message counts, by connector
 * - `chunking#`: hosts that announce CHUNKING and do not accept BDAT
 * - `revocation#`: CRL and OCSP results, by certificate
 * - `canary`: the last canary that was sent, and the last that arrived
 * - `observed#`: observed certificates, by kind; counts of new hosts; claims on expiry notices
 */
import { createHash } from 'node:crypto'
import { minuteMs } from '../contract/durations.ts'
import type { ObservedEndpoint, ObservedKind } from '../tls/observed/observation.ts'

/** @param domain in comparable form */
export const policyKey = (domain: string) => ({ pk: `policy#${domain}`, sk: 'mta-sts' })

const sessionShardCount = 16

/**
 * The sessions of a day, by domain, policy and result. Writers choose a shard at random, so that the writes to one
 * partition stay below DynamoDB's limit; readers add up all shards.
 * @param day `YYYY-MM-DD`
 * @param random in [0, 1)
 */
export const sessionsPartition = (day: string, random: number): string =>
  `sessions#${day}#${Math.floor(random * sessionShardCount)}`

/** @param day `YYYY-MM-DD` */
export const sessionsPartitions = (day: string): string[] =>
  Array.from({ length: sessionShardCount }, (_, shard) => `sessions#${day}#${shard}`)

/**
 * The claim on sending a day's report to one destination.
 * @param addressDigest digest of the destination
 */
export const sentReportKey = (day: string, domain: string, addressDigest: string) => ({
  pk: `sent#${day}`,
  sk: `${domain}#${addressDigest}`,
})

/**
 * The claim on sending a summary to one mailbox.
 * @param addressDigest digest of the mailbox
 */
export const sentSummaryKey = (
  { kind, last }: { kind: 'Day' | 'Week'; last: string },
  addressDigest: string,
) => ({
  pk: `summary#${last}`,
  sk: `${kind}#${addressDigest}`,
})

/** The session limit of a destination, and the leases of its workers. */
export const slotsKey = (destination: string) => ({ pk: `destination#${destination}`, sk: 'session-limit' })

/** The quota of Amazon SES, and the time from which the next recipient may be sent. */
export const sesQuotaKey = { pk: 'ses#quota', sk: 'quota' }

/** The last canary that was sent, and the last that arrived. */
export const canaryKey = { pk: 'canary', sk: 'canary' }

/** Whether a domain's servers have accepted mail. */
export const standingKey = (domain: string) => ({ pk: `standing#${domain}`, sk: 'standing' })

/** Whether BDAT failed at a host. */
export const chunkingFaultKey = (host: string) => ({ pk: `chunking#${host}`, sk: 'fault' })

/** A received report. @param day `YYYY-MM-DD` that it covers */
export const receivedReportKey = ({ day, id }: { day: string; id: string }) => ({
  pk: `report#${day}`,
  sk: id,
})

/** The message count of a connector per minute. @param minute minutes since 1970 */
export const rateKey = (connector: string, minute: number) => ({
  pk: `rate#${connector}`,
  sk: new Date(minute * minuteMs).toISOString().slice(0, 16),
})

/**
 * The revocation status from one CRL or OCSP responder.
 * @param fingerprint fingerprint of the certificate
 * @param urlDigest digest of the URL of the CRL or responder
 */
export const revocationKey = (
  cacheOwner: 'ingress' | 'delivery',
  fingerprint: string,
  kind: string,
  urlDigest: string,
) => ({
  pk: `revocation#${cacheOwner}#${fingerprint}`,
  sk: `${kind}#${urlDigest}`,
})

export const observedPartition = (kind: ObservedKind): string => `observed#${kind}`

/** The keys sort by connector; certificates without a connector come last. */
export const observedKey = ({ kind, connector, domain, host }: ObservedEndpoint) => ({
  pk: observedPartition(kind),
  sk:
    connector === null
      ? `~${shortenName(domain ?? '')}#${shortenName(host)}`
      : `${connector.id}#${shortenName(host)}`,
})

/**
 * The count of new hosts in a month: those of a connector or, when `connector` is null, all hosts without a connector.
 * @param month `YYYY-MM`
 */
export const newHostCountKey = (connector: string | null, month: string) => ({
  pk: 'observed#room',
  sk: `${month}#${connector ?? '~'}`,
})

/** The claim on an expiry notice. @param days the notice day (such as 30), not the days left */
export const expiryNoticeKey = (connector: string | null, fingerprint256: string, days: number) => ({
  pk: 'observed#notices',
  sk: `${connector ?? '~'}#${fingerprint256}#${days}`,
})

/** Limits a name in a sort key, which has at most 1024 octets. */
const maxNameOctets = 255

const shortenName = (name: string): string =>
  Buffer.byteLength(name) <= maxNameOctets ? name : createHash('sha256').update(name).digest('hex')
