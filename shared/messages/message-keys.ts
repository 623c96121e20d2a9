/**
 * Keys of the messages table. Each message has a partition: the message, an item for each recipient (state and last
 * verdict), for each attempt (its claim, later its result) and for each recipient and kind of DSN (the claim, later the
 * DSN's id). The index `byTime` lists recipients by day. A day is spread over several index partitions, so that a high
 * rate of mail does not exceed the limit of one partition. Each connector that expects certificates has a partition
 * with its notices of unknown certificates, and each kept requirement has a partition of one item.
 */
import { encodeTime } from 'ulid'
import type { DsnKind } from '../contract/jobs.ts'
import type { LimitGroup, NoticeEffect } from '../contract/notice-groups.ts'

export const byTime = 'byTime'

const shardsPerDay = 8

export const messageKey = (id: string) => ({ pk: id, sk: 'message' })
export const recipientKey = (id: string, address: string) => ({ pk: id, sk: `recipient#${address}` })
export const attemptKey = (id: string, address: string, attempt: number) => ({
  pk: id,
  sk: `attempt#${address}#${String(attempt).padStart(5, '0')}`,
})
export const dsnKey = (id: string, address: string, kind: DsnKind) => ({
  pk: id,
  sk: `dsn#${kind}#${address}`,
})

/** The claim on the authentication of a message, once it was received again. */
export const authenticationKey = (id: string) => ({ pk: id, sk: 'authentication' })

/** @param digest SHA-256 of the requirement, base64url */
export const requirementKey = (digest: string) => ({ pk: `requirement#${digest}`, sk: 'requirement' })

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

/** Length of the time with which a ULID begins. */
const timeLength = 10

/** Returns the time as a ULID begins with it. @param at ms since the epoch; earlier times have no ULIDs */
export const ulidTime = (at: number): string => encodeTime(Math.max(0, at), timeLength)

/**
 * Index keys of a recipient. `order` is `POSITION#ADDRESS`. The position is the message's id with the time of receipt
 * as its time, because the id of a DSN begins with the time of the reported message.
 */
export function indexKeys(id: string, receivedAt: string, address: string) {
  const shard = id.charCodeAt(id.length - 1) % shardsPerDay
  const position = `${ulidTime(Date.parse(receivedAt))}${id.slice(timeLength)}`
  return { bucket: `${receivedAt.slice(0, 10)}#${shard}`, order: `${position}#${address}` }
}

/** Returns the index partitions of one day. @param day `YYYY-MM-DD` */
export function bucketsOfDay(day: string): string[] {
  return Array.from({ length: shardsPerDay }, (_, shard) => `${day}#${shard}`)
}
