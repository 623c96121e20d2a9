/** Finds messages of which a recipient matches, in the rows of an index. */

/** A matching message, which is not loaded. */
export interface MatchingMessage<Position> {
  id: string
  position: Position
}

export interface MatchingMessages<Position> {
  messages: MatchingMessage<Position>[]
  /** The position from which the next search continues; null at the end. */
  next: Position | null
}

/** A row, or the position up to which an index was read without another match. */
export interface MatchedRow<Position> {
  /** Position of the message in the index: all its rows have the same, and follow one another. */
  order: string
  position: Position
  /** Number of rows that were read for it. */
  scanned: number
  /** Number of items of the table that were read to check it and the rows before it. */
  checked: number
  /** Id of the message; null without a row. */
  id: string | null
  isMatch: boolean
}

/**
 * @param limit maximum number of messages
 * @param limits maximum numbers of rows and of checked items, rounded up to a whole message
 */
export async function findMessages<Position>(
  rows: AsyncIterable<MatchedRow<Position>>,
  limit: number,
  { maxScanned, maxChecked }: { maxScanned: number; maxChecked: number },
): Promise<MatchingMessages<Position>> {
  const found: MatchingMessage<Position>[] = []
  let scanned = 0
  let checked = 0
  let current = null as MatchingMessage<Position> | null
  let last = null as MatchedRow<Position> | null
  for await (const row of rows) {
    // A page ends only between messages, because all recipients of a message must be checked together.
    const isFull = found.length === limit || scanned >= maxScanned || checked >= maxChecked
    if (isFull && last !== null && last.order !== row.order) return { messages: found, next: last.position }
    scanned += row.scanned
    checked += row.checked
    last = row
    if (row.id === null) continue
    if (current?.id !== row.id) current = { id: row.id, position: row.position }
    if (row.isMatch && found.at(-1) !== current) found.push(current)
  }
  return { messages: found, next: null }
}
