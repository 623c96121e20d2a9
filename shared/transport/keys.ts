/**
 * The transport table. A partition for each domain whose published policy was looked for (`policy#`), for each day and
 * shard of counted sessions (`sessions#`), for each destination that mail is being delivered to (`destination#`), for
 * the reports on a day that we sent (`sent#`) and for those that others sent us (`report#`), for each connector whose
 * messages are counted (`rate#`), for each certificate of others that somebody was asked about (`revocation#`), and for
 * each kind of certificates that were seen (`observed#`).
 */
import { createHash } from 'node:crypto'
import { minuteMs } from '../contract/durations.ts'
import type { ObservedKind, ObservedPlace } from '../tls/observed/observation.ts'

/** @param domain in comparable form */
export const policyKey = (domain: string) => ({ pk: `policy#${domain}`, sk: 'mta-sts' })

const sessionShards = 16

/**
 * Sessions of a day, by domain, policy and what was wrong. Every writer takes any shard, so that no domain's mail
 * outgrows one item; a reader adds up all of them.
 * @param day `YYYY-MM-DD`
 * @param random in [0, 1)
 */
export const sessionsPartition = (day: string, random: number): string =>
  `sessions#${day}#${Math.floor(random * sessionShards)}`

/** @param day `YYYY-MM-DD` */
export const sessionsPartitions = (day: string): string[] =>
  Array.from({ length: sessionShards }, (_, shard) => `sessions#${day}#${shard}`)

/** The claim on a report of a day to one place. @param place digest of where the report goes */
export const sentReportKey = (day: string, domain: string, place: string) => ({
  pk: `sent#${day}`,
  sk: `${domain}#${place}`,
})

/** The deliveries under way to a destination. */
export const slotsKey = (destination: string) => ({ pk: `destination#${destination}`, sk: 'slots' })

/** A report that others sent us. @param day `YYYY-MM-DD` that it is about */
export const receivedReportKey = ({ day, id }: { day: string; id: string }) => ({
  pk: `report#${day}`,
  sk: id,
})

/** The messages of a connector in a minute. @param minute since 1970 */
export const rateKey = (connector: string, minute: number) => ({
  pk: `rate#${connector}`,
  sk: new Date(minute * minuteMs).toISOString().slice(0, 16),
})

/** What one source says of a certificate. @param fingerprint of the certificate @param place digest of the source's URL */
export const revocationKey = (
  asker: 'ingress' | 'delivery',
  fingerprint: string,
  kind: string,
  place: string,
) => ({
  pk: `revocation#${asker}#${fingerprint}`,
  sk: `${kind}#${place}`,
})

export const observedPartition = (kind: ObservedKind): string => `observed#${kind}`

/** A connector's places stand together; those of strangers come after them all. */
export const observedKey = ({ kind, connector, domain, host }: ObservedPlace) => ({
  pk: observedPartition(kind),
  sk:
    connector === null
      ? `~${shortened(domain ?? '')}#${shortened(host)}`
      : `${connector.id}#${shortened(host)}`,
})

/** How many places a connector, or all strangers together, got in a month. @param month `YYYY-MM` */
export const observedRoomKey = (connector: string | null, month: string) => ({
  pk: 'observed#room',
  sk: `${month}#${connector ?? '~'}`,
})

/** The claim on a notice that a certificate expires. @param days before that */
export const expiryNoticeKey = (connector: string | null, fingerprint256: string, days: number) => ({
  pk: 'observed#notices',
  sk: `${connector ?? '~'}#${fingerprint256}#${days}`,
})

/** Characters: a sort key holds 1024 octets. */
const longestName = 255

const shortened = (name: string): string =>
  Buffer.byteLength(name) <= longestName ? name : createHash('sha256').update(name).digest('hex')
