/**
 * Sends the summaries of a day, one message to each mailbox. A message is claimed before it is sent, so a second or
 * repeated run sends no second copy. When sending fails, the claim is released, and a later run sends the message. When a
 * run is killed, its claim expires, and a later run sends the message, possibly for the second time.
 */
import { createHash, randomUUID } from 'node:crypto'
import { daySeconds, minuteMs } from '../../shared/contract/durations.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import { sentSummaryKey } from '../../shared/transport/keys.ts'
import { periodsEndingWith, type SummaryPeriod } from './summary-period.ts'
import type { Summary } from './summary-text.ts'

/** Stored with the claim of a sent summary. */
export interface SentSummary {
  at: string
}

export interface Dependencies {
  /** Mailboxes by the kind of summary. */
  mailboxes: Readonly<Record<SummaryPeriod['kind'], readonly string[]>>
  /** Null: every run sends a copy. */
  claims: Pick<Claims<SentSummary>, 'claim' | 'complete' | 'release'> | null
  read(period: SummaryPeriod): Promise<Summary>
  send(summary: Summary, to: string): Promise<void>
  /** Whether a summary waits for a later run while an hour of it is not sealed. */
  waitsForSeals: boolean
  now(): Date
  onFailed(error: unknown, period: SummaryPeriod): void
}

/** Messages of one run. */
export interface SummaryRun {
  sent: number
  /** An earlier run sent them. */
  alreadySent: number
  /** A later run sends them. */
  waiting: number
  /** Not sent, or claimed by a run that has not ended or was killed. */
  failed: number
}

/**
 * Longer than the function may run. Lambda repeats a failed run one minute after its end, and again two minutes later: the
 * last repetition finds the claim of a killed run expired.
 */
export const leaseMs = 2.5 * minuteMs
const claimTtlDays = 10

/** @param day `YYYY-MM-DD` @throws when a claim cannot be read */
export async function sendSummaries(day: string, dependencies: Dependencies): Promise<SummaryRun> {
  const run: SummaryRun = { sent: 0, alreadySent: 0, waiting: 0, failed: 0 }
  for (const period of periodsEndingWith(day)) {
    let summary: Promise<Summary> | undefined
    const read = () => {
      summary ??= dependencies.read(period)
      return summary
    }
    for (const to of new Set(dependencies.mailboxes[period.kind]))
      run[await sendOnce(period, to, read, dependencies)] += 1
  }
  return run
}

async function sendOnce(
  period: SummaryPeriod,
  to: string,
  read: () => Promise<Summary>,
  { claims, send, waitsForSeals, now, onFailed }: Dependencies,
): Promise<keyof SummaryRun> {
  const key = sentSummaryKey(period, digest(to))
  const at = now()
  const holder = randomUUID()
  const claim = await claims?.claim(key, at, leaseMs, expiryAfter(at, claimTtlDays * daySeconds), holder)
  if (claim?.kind === 'Done') return 'alreadySent'
  if (claim?.kind === 'Busy') {
    onFailed(new Error('another run has claimed the summary'), period)
    return 'failed'
  }
  try {
    const summary = await read()
    if (waitsForSeals && summary.soFar !== null) {
      await claims?.release(key, holder)
      return 'waiting'
    }
    await send(summary, to)
  } catch (error) {
    onFailed(error, period)
    await claims?.release(key, holder)
    return 'failed'
  }
  await claims?.complete(key, { at: at.toISOString() })
  return 'sent'
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 20)
