/**
 * Sends the summaries of a day, one message to each mailbox. A message is claimed before it is sent, so a second or
 * repeated run sends no second copy. When sending fails, the claim is released, and a later run sends the message.
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
  /** Another run sent or is sending them. */
  claimedElsewhere: number
  /** A later run sends them. */
  waiting: number
  failed: number
}

/** Longer than the function may run, and shorter than the time between two runs. */
const leaseMs = 10 * minuteMs
const claimTtlDays = 10

/** @param day `YYYY-MM-DD` @throws when a claim cannot be read */
export async function sendSummaries(day: string, dependencies: Dependencies): Promise<SummaryRun> {
  const run: SummaryRun = { sent: 0, claimedElsewhere: 0, waiting: 0, failed: 0 }
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
  if (claim !== undefined && claim.kind !== 'Claimed') return 'claimedElsewhere'
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
