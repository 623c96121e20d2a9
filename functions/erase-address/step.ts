/** A step of a pass: the search for the address in one store. */
import type { ErasedCounts } from '../../shared/events/erasures.ts'

/** What a step has done since its last part. */
export interface Part {
  /** Where another invocation continues: it is given to the step as `after`. */
  after: unknown
  erased: Partial<ErasedCounts>
  /** Whether the next pass must look again: another writer changed something meanwhile. */
  isIncomplete?: boolean
  /** Ids of messages that have the address, and are neither delivered nor bounced. They were not changed. */
  unsettled?: readonly string[]
}

export interface Step {
  /** Whether it changes the raw events, which a seal may have read before. */
  changesRaw?: boolean
  /** @param after null at the beginning of a pass */
  run(after: unknown): AsyncGenerator<Part>
}
