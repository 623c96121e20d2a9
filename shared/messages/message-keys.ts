/**
 * Keys of the messages table. Each message has a partition: the message, an item for each recipient (state, last verdict,
 * and the claim on its last attempt), for each failed attempt (its result) and for each recipient and kind of DSN (the
 * claim, later the DSN's id). An erasure leaves a mark. The index `byTime` lists recipients by day. A day is spread over several index partitions,
 * so that a high rate of mail does not exceed the limit of one partition. Each connector that expects certificates has a
 * partition with its unknown certificates and their notices. A value that many items share, such as a kept requirement, has a
 * partition of one item.
 */
import { encodeTime } from 'ulid'
import { maxEventShards, shardOfMessage } from '../contract/events.ts'
import type { DsnKind } from '../contract/jobs.ts'
import type { LimitGroup, NoticeEffect } from '../contract/notice-groups.ts'

export { byTime } from '../contract/messages-index.ts'

export const messageKey = (id: string) => ({ pk: id, sk: 'message' })

const recipientPrefix = 'recipient#'
export const recipientKey = (id: string, address: string) => ({ pk: id, sk: `${recipientPrefix}${address}` })
export const isRecipientKey = (sk: string): boolean => sk.startsWith(recipientPrefix)
/** The address of a recipient's item. */
export const recipientOf = ({ sk }: { sk: string }): string => sk.slice(recipientPrefix.length)

export const attemptKey = (id: string, address: string, attempt: number) => ({
  pk: id,
  sk: `attempt#${address}#${String(attempt).padStart(5, '0')}`,
})
export const dsnKey = (id: string, address: string, kind: DsnKind) => ({
  pk: id,
  sk: `dsn#${kind}#${address}`,
})

/**
 * The mark of a message of which an address was erased. Without it, a job that arrives late would find no recipient, and
 * be decided again.
 */
export const erasedKey = (id: string) => ({ pk: id, sk: 'erased' })

/** The claim on the authentication of a message, once it was received again. */
export const authenticationKey = (id: string) => ({ pk: id, sk: 'authentication' })

/** What the values of a content-addressed store are. */
export type SharedKind = 'requirement' | 'client-certificate'
/** @param digest SHA-256 of the value, base64url */
export const sharedKey = (kind: SharedKind, digest: string) => ({ pk: `${kind}#${digest}`, sk: kind })

/** The sum of the octets of a message's DSNs. */
export const dsnOctetsKey = (id: string) => ({ pk: id, sk: 'dsn-octets' })

/** DSNs and queries for a domain, or queries for a client, in an hour. @param hour `YYYY-MM-DDTHH` */
export const dsnRateKey = (domainOrClient: string, hour: string) => ({
  pk: `dsns#${domainOrClient}`,
  sk: hour,
})

const certificatesPartition = (connector: string) => `certificates#${connector}`

/** @param day `YYYY-MM-DD` */
export const noticeKey = (connector: string, fingerprint256: string, effect: NoticeEffect, day: string) => ({
  pk: certificatesPartition(connector),
  sk: `notice#${day}#${fingerprint256}#${effect}`,
})
/** @param day `YYYY-MM-DD` */
export const dailyNoticeLimitKey = (connector: string, day: string, group: LimitGroup) => ({
  pk: certificatesPartition(connector),
  sk: `notices#${day}#${group}`,
})

const unknownPrefix = 'unknown#'
/** A certificate that the connector does not accept, as administrators see it. */
export const unknownCertificateKey = (connector: string, fingerprint256: string) => ({
  pk: certificatesPartition(connector),
  sk: `${unknownPrefix}${fingerprint256}`,
})

/** Certificates that an attacker cannot create have index partitions of their own, so that a flood does not hide them. */
export type UnknownCertificateKind = 'Trusted' | 'Other'

const unknownCertificateShards = 4

/** Returns the index partitions of unknown certificates. */
export const unknownCertificateBuckets = (kind: UnknownCertificateKind): string[] =>
  Array.from({ length: unknownCertificateShards }, (_, shard) => unknownCertificateBucket(kind, shard))

const unknownCertificateBucket = (kind: UnknownCertificateKind, shard: number): string =>
  `unknown-certificates#${kind}#${shard}`

/** Index keys of an unknown certificate. The order is that of its last presentation. */
export const unknownCertificateIndexKeys = (
  connector: string,
  fingerprint256: string,
  kind: UnknownCertificateKind,
  at: Date,
) => ({
  bucket: unknownCertificateBucket(
    kind,
    Number.parseInt(fingerprint256.slice(0, 2), 16) % unknownCertificateShards,
  ),
  order: `${ulidTime(at.getTime())}#${connector}#${fingerprint256}`,
})

/** Length of the time with which a ULID begins. */
const timeLength = 10

/** Returns the time as a ULID begins with it. @param at ms since the epoch; earlier times have no ULIDs */
export const ulidTime = (at: number): string => encodeTime(Math.max(0, at), timeLength)

/**
 * Index keys of a message's recipients. `order` is the position of the message: its id with the time of receipt as its
 * time, because the id of a DSN begins with the time of the reported message.
 */
export const indexKeys = (id: string, receivedAt: string) => ({
  bucket: bucketOf(receivedAt.slice(0, 10), shardOfMessage(id)),
  order: `${ulidTime(Date.parse(receivedAt))}${id.slice(timeLength)}`,
})

/** Returns the index partitions of one day. @param day `YYYY-MM-DD` */
export const bucketsOfDay = (day: string): string[] =>
  Array.from({ length: maxEventShards }, (_, shard) => bucketOf(day, shard))

const bucketOf = (day: string, shard: number): string => `${day}#${String(shard).padStart(2, '0')}`
