/** Decides which ranges of S3 objects are read for several messages. Pure. */
import type { ContentReference } from '../contract/message.ts'

export interface ReadRange<Reference extends ContentReference = ContentReference> {
  offset: number
  length: number
  /** The messages in the range. */
  references: Reference[]
}

/** A range of several messages is in memory until the last of them is sent. */
const maxRangeOctets = 4 * 1024 * 1024
/** Octets between two messages that cost less to read than a request of their own. */
const maxGapOctets = 256 * 1024

/**
 * Returns the ranges for messages in one object. Messages that are near each other share a range, because S3 charges for
 * each request.
 */
export function planReads<Reference extends ContentReference>(
  references: readonly Reference[],
): ReadRange<Reference>[] {
  const ranges: ReadRange<Reference>[] = []
  for (const reference of references.toSorted((one, other) => one.offset - other.offset)) {
    const range = ranges.at(-1)
    const rangeEnd = range ? range.offset + range.length : 0
    const end = Math.max(rangeEnd, reference.offset + reference.length)
    if (range && reference.offset - rangeEnd <= maxGapOctets && end - range.offset <= maxRangeOctets) {
      range.length = end - range.offset
      range.references.push(reference)
    } else ranges.push({ offset: reference.offset, length: reference.length, references: [reference] })
  }
  return ranges
}
