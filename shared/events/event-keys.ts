/**
 * Keys of the objects in the events bucket. `recorded` is the hour in which record-events stored an event, by its own
 * clock; `date` and `hour` are those at which the event happened. All are UTC. Pure.
 *
 * The seal of an hour divides it into a number of shards that depends on its size. Names of objects that a later seal
 * reads tell that number, because it differs from hour to hour.
 */
import { addHours } from './hours.ts'

/** A part of the events of an hour: those whose hash is `shard` modulo `shards`. */
export interface Shard {
  shard: number
  /** A power of two. */
  shards: number
}

const twoDigits = (number: number): string => String(number).padStart(2, '0')
const nameOf = ({ shard, shards }: Shard): string => `shard=${twoDigits(shard)}of${twoDigits(shards)}`

/** Name of the shard of raw objects with events of all shards. */
export const mixedShard = 'mixed'

export interface RawObject {
  /** One of 16 shards; null with events of all shards. */
  shard: number | null
  /** Octets of the lines. */
  octets: number
}

export const rawPrefix = (hour: string): string => `raw/recorded=${hour}/`

/**
 * The name tells the octets of the lines, so that the seal can divide the hour before it reads. The size of the object
 * does not tell them: events that resemble each other are compressed far more than others.
 */
export const rawKey = (hour: string, { shard, octets }: RawObject, ulid: string): string =>
  `${rawPrefix(hour)}shard=${shard === null ? mixedShard : twoDigits(shard)}/${ulid}-${octets}.jsonl.gz`

/** @returns null for a key of another kind */
export function parseRawKey(key: string): RawObject | null {
  const [, shard, octets] = /^raw\/recorded=[^/]+\/shard=(\d\d|mixed)\/\w+-(\d+)\.jsonl\.gz$/.exec(key) ?? []
  if (shard === undefined) return null
  return { shard: shard === mixedShard ? null : Number(shard), octets: Number(octets) }
}

/** The ids of all events that were recorded in an hour, also of copies that the seal dropped. */
export const idsPrefix = (hour: string): string => `ids/recorded=${hour}/`
export const idsKey = (hour: string, shard: Shard): string => `${idsPrefix(hour)}${nameOf(shard)}.bin`

/** Seals of a day. @param date `YYYY-MM-DD` */
export const sealsOfDay = (date: string): string => `seals/recorded=${date}`
export const sealKey = (hour: string, shard: Shard): string => `seals/recorded=${hour}/${nameOf(shard)}.json`

/** @returns null for a key of another kind */
export function parseShardKey(key: string): (Shard & { hour: string }) | null {
  const [, hour = '', shard, shards] =
    /^(?:seals|ids)\/recorded=([^/]+)\/shard=(\d+)of(\d+)\.\w+$/.exec(key) ?? []
  return shard === undefined ? null : { hour, shard: Number(shard), shards: Number(shards) }
}

/** @param hour the hour at which the events happened */
const partition = (hour: string): string => `date=${hour.slice(0, 10)}/hour=${hour.slice(11)}/`
const sealName = (recorded: string): string => `seal=${recorded.replaceAll(/\D/g, '')}`

export const parquetPrefix = (hour: string): string => `parquet/${partition(hour)}`
export const rollupPrefix = (hour: string): string => `rollups/${partition(hour)}`

/** @param hour the hour at which the events happened @param recorded the sealed hour */
export const parquetKey = (hour: string, { shard }: Shard, recorded: string): string =>
  `${parquetPrefix(hour)}shard=${twoDigits(shard)}/${sealName(recorded)}.parquet`
export const rollupKey = (hour: string, { shard }: Shard, recorded: string): string =>
  `${rollupPrefix(hour)}shard=${twoDigits(shard)}/${sealName(recorded)}.json.gz`

/** Rollups of all hours of a day. @param date `YYYY-MM-DD` */
export const rollupsOfDay = (date: string): string => `rollups/date=${date}/`
/** The rollups of a day, added together. */
export const dayRollupKey = (date: string): string => `${rollupsOfDay(date)}day.json.gz`

export const isDayRollup = (key: string): boolean => /^rollups\/date=[^/]+\/day\.json\.gz$/.test(key)

/** @returns the hour of the events in the key of a rollup, `YYYY-MM-DDTHH`; null for a key of another kind */
export function hourOfRollup(key: string): string | null {
  const [, date, hour] = /^rollups\/date=([^/]+)\/hour=(\d\d)\//.exec(key) ?? []
  return date === undefined ? null : `${date}T${hour}`
}

/** @returns the hour of the events in the key of a Parquet file or rollup; of raw objects and seals the recorded hour */
export function hourInKey(key: string): string {
  const [, recorded] = /^\w+\/recorded=([^/]+)\//.exec(key) ?? []
  const [, date, hour] = /^\w+\/date=([^/]+)\/hour=(\d\d)\//.exec(key) ?? []
  return recorded ?? `${date}T${hour}`
}

/** @returns the sealed hour in the key of a Parquet file or rollup */
export function sealInKey(key: string): string {
  const [, date = '', hour = ''] = /\/seal=(\d{8})(\d\d)\./.exec(key) ?? []
  return `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T${hour}`
}

/** @returns the shard in the key of a Parquet file or rollup */
export const shardInKey = (key: string): number => Number(/\/shard=(\d+)\//.exec(key)?.[1])

/** The largest number of shards of an hour: 75 million events. */
export const maxShards = 256

/**
 * Whether a Parquet file may hold a message's events: the file's number of shards is a power of two, and not known.
 * @param hash `messageHash` of the message's id, or of the event's id if it has no message
 */
export function mayHoldMessage(key: string, hash: number): boolean {
  const shard = shardInKey(key)
  for (let shards = 1; shards <= maxShards; shards *= 2) if (hash % shards === shard) return true
  return false
}

/** Whether an event may be in both shards, of the same hour or of hours with other numbers of shards. */
export function overlaps(a: Shard, b: Shard): boolean {
  const common = Math.min(a.shards, b.shards)
  return a.shard % common === b.shard % common
}

/** The days of the hours from `hours` before `last` to `last`. */
export const daysUntil = (last: string, hours: number): string[] => [
  ...new Set(Array.from({ length: hours + 1 }, (_, index) => addHours(last, index - hours).slice(0, 10))),
]
