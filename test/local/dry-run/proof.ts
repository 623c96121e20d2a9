/**
 * Shows that dry runs are right: sends mail of many kinds, reads the events that the stack recorded, and for each change of
 * connectors predicts the result for each recipient, makes the change, sends the same mail again, and compares.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { compareDryRuns, dryRun } from '../../../shared/event-queries/dry-run/dry-run.ts'
import type { DryRunComparison, DryRunResult } from '../../../shared/event-queries/dry-run/dry-run-result.ts'
import { type MailFacts, pastMailOf } from '../../../shared/event-queries/dry-run/mail-facts.ts'
import type { Settings } from '../../../shared/policy/evaluate.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { waitForResult } from '../../support/local/runner.ts'
import { changesOf } from './changes.ts'
import { makeChange, namesIn, predictSnapshot, readSnapshot } from './connectors.ts'
import { keyOf, type Observed, observe, RefusalLog } from './observed.ts'
import { numberIn, type PlannedMail, planMail, reportAddress } from './planned-mail.ts'
import { readChains, readEvents } from './recorded.ts'
import { sendAll } from './sender.ts'
import { type Stack, startStack } from './stack.ts'

export interface ProofOptions {
  messages: number
  changes: number
  seed: number
  print(line: string): void
}

/** The comparison of one change. */
export interface Row {
  title: string
  /** Recipients whose real result is the predicted one; of these, those whose outcome the change alters. */
  equal: number
  changed: number
  /** Of the equal, those predicted unless the certificate was revoked. */
  unlessRevoked: number
  different: number
  undetermined: number
  /** Recipients for which the comparison of the two snapshots is wrong. */
  wrongComparisons: number
  seconds: number
}

export interface Proof {
  rows: Row[]
  recipients: number
  /** Recipients whose mail has no detailed event, such as one of several recipients of a message that was refused. */
  withoutEvent: number
  /** The reasons of results that are not determined, with their numbers. */
  missing: Record<string, number>
  differences: string[]
}

/** As the local runner configures the functions. */
const settings: Settings = {
  defaultRoute: 'Mx',
  tlsReportAddress: reportAddress,
  postmaster: { hostname: 'mail.example.com', mailbox: null },
}

/** Below the ten rejections per second that the ingress reports in detail. */
const maxRefusals = 8

export async function runProof({ messages, changes: count, seed, print }: ProofOptions): Promise<Proof> {
  const stack = await startStack()
  try {
    const planned = planMail(messages, seed)
    const log = new RefusalLog(stack)
    const before = await readSnapshot(stack.api)
    const startedAt = performance.now()
    const baseline = await observe(
      stack,
      await sendAll(stack, planned, { maxRefusals }),
      await log.take(),
      before,
    )
    print(`sent ${messages} messages, ${baseline.length} recipients, in ${secondsSince(startedAt)} s`)
    print(JSON.stringify(countBy(baseline.map(({ outcome, reason }) => `${outcome} ${reason}`))))
    const facts = await recordedFacts(stack, baseline)
    const proof: Proof = {
      rows: [],
      recipients: baseline.length,
      withoutEvent: baseline.length - facts.size,
      missing: {},
      differences: [],
    }
    const own = compareRound(
      { title: 'no change', facts, before, after: before, baseline, observed: baseline },
      proof,
    )
    report(own, startedAt, proof, print)
    for (const change of changesOf(stack).slice(0, count)) {
      const changedAt = performance.now()
      const predicted = predictSnapshot(before, change)
      const undo = await makeChange(stack.api, before, change)
      const after = await readSnapshot(stack.api)
      const observed = await sendAgain(stack, planned, log, after)
      const round = { title: change.title, facts, before, after: predicted, baseline, observed }
      report(compareRound(round, proof), changedAt, proof, print)
      await undo()
      await delay(connectorsAgeMs)
    }
    return proof
  } finally {
    await stack.stop()
  }
}

/** The ingress reads the connectors at most once per second. */
const connectorsAgeMs = 1500

async function sendAgain(
  stack: Stack,
  planned: readonly PlannedMail[],
  log: RefusalLog,
  snapshot: Snapshot,
): Promise<Observed[]> {
  await delay(connectorsAgeMs)
  await log.take()
  const sent = await sendAll(stack, planned)
  return observe(stack, sent, await log.take(), snapshot)
}

/** Waits until the events of all mail are stored. @returns the facts by recipient */
async function recordedFacts(stack: Stack, baseline: readonly Observed[]): Promise<Map<string, MailFacts>> {
  const accepted = baseline.filter(({ messageId }) => messageId !== null)
  const events = await waitForResult(
    async () => {
      const stored = await readEvents(stack)
      const ids = new Set(stored.filter(({ kind }) => kind !== 'Accepted').map(({ messageId }) => messageId))
      const settledIds = new Set(
        stored.filter(({ kind, decision }) => isEnd(kind, decision)).map(({ messageId }) => messageId),
      )
      return accepted.every(({ messageId }) => ids.has(messageId ?? '') && settledIds.has(messageId ?? ''))
        ? stored
        : null
    },
    2000,
    120_000,
  )
  // Rejections leave the ingress within a second, and their batch within another.
  await delay(4000)
  const all = [...events, ...(await readEvents(stack))]
  const chains = await readChains(stack)
  const facts = new Map<string, MailFacts>()
  for (const { id, facts: found } of pastMailOf(all)) {
    const observed = baselineOf(baseline, id, found)
    const chain = chains.get(found.arrival.clientCertificateSha256 ?? '')
    if (observed) facts.set(keyOf(observed), { ...found, ...(chain && { clientChain: chain }) })
  }
  return facts
}

/** `Deliver` is followed by another event. */
const isEnd = (kind: string, decision: string | undefined): boolean =>
  ['Delivered', 'Bounced', 'Attempted'].includes(kind) || (kind === 'Decided' && decision === 'Defer')

function baselineOf(
  baseline: readonly Observed[],
  id: string,
  { sender, recipient, rejection }: MailFacts,
): Observed | undefined {
  if (rejection === null) {
    const ofMessage = baseline.filter(({ messageId }) => messageId === id)
    return (
      ofMessage.find((each) => each.recipient === recipient) ??
      (ofMessage.length === 1 ? ofMessage[0] : undefined)
    )
  }
  const number = numberIn(sender, recipient)
  return baseline.find(
    (each) => each.number === number && each.recipient === recipient && each.messageId === null,
  )
}

interface Round {
  title: string
  facts: ReadonlyMap<string, MailFacts>
  before: Snapshot
  after: Snapshot
  baseline: readonly Observed[]
  observed: readonly Observed[]
}

function compareRound({ title, facts, before, after, baseline, observed }: Round, proof: Proof): Row {
  const names = new Map([...namesIn(before), ...namesIn(after)])
  const observedBefore = new Map(baseline.map((each) => [keyOf(each), each]))
  const row: Row = {
    title,
    ...{
      equal: 0,
      changed: 0,
      unlessRevoked: 0,
      different: 0,
      undetermined: 0,
      wrongComparisons: 0,
      seconds: 0,
    },
  }
  for (const real of observed) {
    const key = keyOf(real)
    const found = facts.get(key)
    const earlier = observedBefore.get(key)
    if (found === undefined || earlier === undefined) continue
    const predicted = dryRun(found, after, settings)
    const compared = compareDryRuns(found, before, after, settings)
    const isChanged = !isSameResult(earlier, real)
    if (!isRight(compared, isChanged)) {
      row.wrongComparisons += 1
      proof.differences.push(
        `${title}: ${key}: ${JSON.stringify({ compared, earlier, real, found: withoutChain(found) })}`,
      )
    }
    if (predicted.outcome === 'Undetermined') {
      row.undetermined += 1
      proof.missing[predicted.missing] = (proof.missing[predicted.missing] ?? 0) + 1
    } else if (isEqual(predicted, real, names)) {
      row.equal += 1
      if (isChanged) row.changed += 1
      if (predicted.unlessRevoked) row.unlessRevoked += 1
    } else {
      row.different += 1
      proof.differences.push(
        `${title}: ${key}: ${JSON.stringify({ predicted, real, found: withoutChain(found) })}`,
      )
    }
  }
  return row
}

const withoutChain = ({ clientChain: _, ...facts }: MailFacts) => facts

/** The results of real mail, apart from the message. */
const isSameResult = (one: Observed, other: Observed): boolean => resultText(one) === resultText(other)
const resultText = ({ outcome, reason, connector, level, tlsResult }: Observed): string =>
  JSON.stringify([outcome, reason, connector, level, tlsResult])

/** An undetermined comparison is never wrong. */
const isRight = ({ kind }: DryRunComparison, isChanged: boolean): boolean =>
  kind === 'Undetermined' || (kind === 'Different') === isChanged

function isEqual(
  predicted: Exclude<DryRunResult, { outcome: 'Undetermined' }>,
  real: Observed,
  names: ReadonlyMap<string, string>,
): boolean {
  // The result of an attempt that was never made is not known.
  if (predicted.outcome === 'Sent') return real.isAttempted === true
  const connector = predicted.connector === null ? null : (names.get(predicted.connector) ?? null)
  const isSame =
    predicted.outcome === real.outcome && predicted.reason === real.reason && connector === real.connector
  const isSameLevel = predicted.level === null || real.level === null || predicted.level === real.level
  const isSameTls = predicted.tlsResult === undefined || predicted.tlsResult === real.tlsResult
  return isSame && isSameLevel && isSameTls
}

function report(row: Row, startedAt: number, proof: Proof, print: (line: string) => void): void {
  row.seconds = secondsSince(startedAt)
  proof.rows.push(row)
  const { title, equal, changed, different, undetermined, wrongComparisons, seconds } = row
  print(
    `${proof.rows.length - 1}. ${title}: ${equal} equal (${changed} changed), ${different} different, ${undetermined} undetermined, ${wrongComparisons} wrong comparisons, ${seconds} s`,
  )
}

const secondsSince = (startedAt: number): number => Math.round((performance.now() - startedAt) / 1000)

const countBy = (texts: readonly string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(texts, (text) => text)].map(([text, all]) => [text, all.length]))
