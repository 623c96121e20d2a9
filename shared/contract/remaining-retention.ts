/**
 * How long a rewritten object of the events bucket is kept. S3 counts the age of an object from its last write, so a rewritten
 * object would be kept for the whole retention again. Its tag leads to a shorter rule of the bucket's lifecycle
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-filters.html). Pure.
 */

/** Key of the tag. Its value is a number of parts of the retention. */
export const retentionTag = 'kept'

/** Rules of the lifecycle. A rewritten object is kept for one part longer at most. */
export const retentionParts = 8

/** Days for which an object with a tag is kept after its last write. @param parts from 1 to `retentionParts` */
export const keptDays = (parts: number, retentionDays: number): number =>
  Math.ceil((retentionDays * parts) / retentionParts)

/** @param ageDays age of the events in the object */
export function remainingParts(ageDays: number, retentionDays: number): number {
  const parts = Math.ceil(((retentionDays - ageDays) / retentionDays) * retentionParts)
  return Math.min(retentionParts, Math.max(1, parts))
}
