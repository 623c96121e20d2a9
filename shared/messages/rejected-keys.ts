/** Keys of rejected sessions in the messages table: `rejected#ID`, and in the index `byTime` a day's buckets of their own. */
import { shardOfMessage } from '../contract/events.ts'
import { ulidTime } from './message-keys.ts'

export const rejectedKey = (id: string) => ({ pk: `rejected#${id}`, sk: 'event' })

/** @param day `YYYY-MM-DD` */
export const rejectedBucket = (day: string, shard: number): string =>
  `rejected#${day}#${String(shard).padStart(2, '0')}`

export const rejectedIndexKeys = (id: string, at: Date) => ({
  bucket: rejectedBucket(at.toISOString().slice(0, 10), shardOfMessage(id)),
  order: `${ulidTime(at.getTime())}#${id}`,
})
