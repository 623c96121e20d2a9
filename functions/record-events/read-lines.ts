/** Reads the events of a queue message: JSON lines. Pure. */
import type { MailEvent } from '../../shared/contract/events.ts'
import { parseJson } from '../../shared/contract/parse-json.ts'

/** The columns that record-events and seal-hour need. The others are stored as they are. */
export type RecordedEvent = Pick<MailEvent, 'id' | 'at' | 'messageId'> & { kind: string }

export interface EventLine {
  /** The line as it was sent, with its line feed. */
  line: string
  event: RecordedEvent
}

export interface ReadLines {
  lines: EventLine[]
  /** Why the first unreadable line cannot be read; null when all lines are readable. */
  fault: string | null
}

/** A longer id would not fit the key of an item. */
const maxIdLength = 100

/** The reason names no values, because they may be private mail. */
export function readLines(body: string): ReadLines {
  const result: ReadLines = { lines: [], fault: null }
  const lines = body.split('\n')
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const event = parseJson(line)
    if (isRecordable(event)) result.lines.push({ line: `${line}\n`, event })
    else result.fault ??= `Line ${index + 1} of ${lines.length} is not an event.`
  }
  return result
}

/** seal-hour must be able to seal every stored line, so the columns that it relies on are checked here. */
export function isRecordable(value: unknown): value is RecordedEvent {
  if (typeof value !== 'object' || value === null) return false
  const { id, at, kind, messageId } = value as Record<string, unknown>
  return (
    typeof id === 'string' &&
    id.length > 0 &&
    id.length <= maxIdLength &&
    typeof at === 'string' &&
    isTime(at) &&
    typeof kind === 'string' &&
    (messageId === undefined || typeof messageId === 'string')
  )
}

/** The years in which the hour has the form of the keys. */
const isTime = (text: string): boolean => /^\d{4}-/.test(text) && !Number.isNaN(Date.parse(text))
