/** Reads the mail that waits, in groups: for the report on queued messages, and for summaries. */
import { type WaitingGroup, WaitingGroups } from './waiting-groups.ts'
import type { WaitingList } from './waiting-list.ts'

/** Milliseconds; below the function's timeout. */
const maxReadMs = 20_000

/** @throws Error when the time is over before all waiting recipients are read */
export async function readWaitingGroups(waiting: Pick<WaitingList, 'read'>): Promise<WaitingGroup[]> {
  const groups = new WaitingGroups()
  const deadline = Date.now() + maxReadMs
  const isComplete = await waiting.read(
    (rows) => {
      for (const row of rows) groups.add(row)
    },
    () => Date.now() >= deadline,
  )
  if (!isComplete) throw new Error('too much mail waits to read it in time')
  return groups.sorted()
}
