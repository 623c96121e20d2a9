/**
 * Decides about past mail under given connectors, with the functions that decide real mail, from the facts in events. What
 * the facts do not determine is said and not guessed: the decision is made under every value of the missing facts. Pure.
 *
 * Not covered: limits of message rates, except a rate that was exceeded; the existence of recipients, except one that was
 * checked; the requirement that a waiting message keeps; other DNS records of a partner than at that time.
 */
import type { Settings } from '../../policy/evaluate.ts'
import type { Snapshot } from '../../policy/snapshot.ts'
import { type Assume, decisiveFact, type Run, runUnderAssumptions } from './assumptions.ts'
import { decideArrival, earlyRefusal, revocationOfClient } from './decide-arrival.ts'
import { decideNextHop } from './decide-next-hop.ts'
import type { Determined, DryRunComparison, DryRunResult, Open } from './dry-run-result.ts'
import type { MailFacts } from './mail-facts.ts'
import { revocationOfServer } from './past-server.ts'

/** Returns the result for the mail under the connectors of the snapshot. */
export function dryRun(facts: MailFacts, snapshot: Snapshot, settings: Settings): DryRunResult {
  return summarise(runUnderAssumptions((assume) => decide(facts, snapshot, settings, assume)))
}

/**
 * Compares the results for the mail under two snapshots. A fact that the events do not hold is the same under both. So
 * this can say that nothing changes, or what, although neither result is determined.
 */
export function compareDryRuns(
  facts: MailFacts,
  before: Snapshot,
  after: Snapshot,
  settings: Settings,
): DryRunComparison {
  const runs = runUnderAssumptions((assume) => ({
    before: decide(facts, before, settings, assume),
    after: decide(facts, after, settings, assume),
  }))
  if (runs === null)
    return { kind: 'Undetermined', missing: tooManyRuns.missing, before: tooManyRuns, after: tooManyRuns }
  const results = {
    before: summarise(runs.map((run) => ({ ...run, result: run.result.before }))),
    after: summarise(runs.map((run) => ({ ...run, result: run.result.after }))),
  }
  const kind = commonKind(runs)
  if (kind === 'Same') return { kind, result: results.before }
  if (kind === 'Different') return { kind, ...results }
  const unrevoked = runs.filter(isUnrevoked)
  return commonKind(unrevoked) === 'Different'
    ? { kind: 'Different', ...results, unlessRevoked: true }
    : {
        kind: 'Undetermined',
        missing: missingIn(
          commonKind(unrevoked) === null ? unrevoked : runs,
          kindOf,
          ({ before: one, after: other }) => [other, one],
        ),
        ...results,
      }
}

interface Pair {
  before: Evaluated
  after: Evaluated
}

/** @returns what all comparisons have in common; null if they differ, or if one is not determined */
function commonKind(runs: readonly Run<Pair>[]): 'Same' | 'Different' | null {
  const [kind, ...others] = new Set(runs.map(({ result }) => kindOf(result)))
  return others.length === 0 && (kind === 'Same' || kind === 'Different') ? kind : null
}

function kindOf({ before, after }: Pair): string {
  const [one, other] = [keyOf(before), keyOf(after)]
  if (one !== null && one === other) return 'Same'
  const isOpen = [before, after].some(({ outcome }) => outcome === 'Undetermined')
  return isOpen && !isSentOnce(before, after) ? 'Undetermined' : 'Different'
}

/** Whether an attempt is made under one of the snapshots only. */
const isSentOnce = (...results: [Evaluated, Evaluated]): boolean =>
  results.some((result) => result.outcome === 'Undetermined' && result.key !== null) &&
  results.some(({ outcome }) => outcome === 'Refused' || outcome === 'Held')

type Evaluated = Determined | Open

const tooManyRuns = { outcome: 'Undetermined', missing: 'The events hold too few facts.' } as const

function decide(facts: MailFacts, snapshot: Snapshot, settings: Settings, assume: Assume): Evaluated {
  const { rejection, sender, recipient } = facts
  const early = rejection && earlyRefusal(rejection)
  if (early) return early
  if (sender === undefined)
    return unknown('Rejections of an attack are counted together, without the sender.')
  if (recipient === undefined)
    return unknown('The event does not hold the recipients of the refused message.')
  if (rejection?.reason === 'CertificateNotRequested')
    return unknown('The client was not asked for a certificate in that session.')
  const input = { facts: { ...facts, sender, recipient }, snapshot, settings, assume }
  const decision = decideArrival(input)
  return decision.kind === 'Decided' ? decision.result : decideNextHop(input, decision)
}

const unknown = (missing: string): Open => ({ outcome: 'Undetermined', missing, key: null })

const keyOf = (result: Evaluated): string | null => {
  if (result.outcome === 'Undetermined') return result.key
  const { outcome, reason, connector, level, tlsResult } = result
  return JSON.stringify([outcome, reason, connector, level, tlsResult ?? null])
}

/** Without level and TLS result, which may depend on missing facts although the outcome does not. */
const mainKeyOf = (result: Evaluated): string => {
  if (result.outcome === 'Undetermined') return result.missing
  const { outcome, reason, connector } = result
  return JSON.stringify([outcome, reason, connector])
}

function summarise(runs: readonly Run<Evaluated>[] | null): DryRunResult {
  if (runs === null) return tooManyRuns
  const determined = merge(runs)
  if (determined !== null) return determined
  const unrevoked = runs.filter(isUnrevoked)
  const unlessRevoked = merge(unrevoked)
  return unlessRevoked === null
    ? { outcome: 'Undetermined', missing: missingIn(unrevoked, mainKeyOf, (result) => [result]) }
    : { ...unlessRevoked, unlessRevoked: true }
}

/** @returns null if the results differ, or one is not determined */
function merge(runs: readonly Run<Evaluated>[]): Determined | null {
  const results = runs.map(({ result }) => result).filter((result) => result.outcome !== 'Undetermined')
  const [first] = results
  if (first === undefined || results.length < runs.length || decisiveFact(runs, mainKeyOf) !== null)
    return null
  const { outcome, reason, connector, level, tlsResult } = first
  return {
    outcome,
    reason,
    connector,
    level: results.every((each) => each.level === level) ? level : null,
    ...(tlsResult && results.every((each) => each.tlsResult === tlsResult) && { tlsResult }),
  }
}

/** @returns the sentence about the first fact that matters, otherwise about a result that is not determined */
function missingIn<R>(
  runs: readonly Run<R>[],
  key: (result: R) => string,
  resultsOf: (result: R) => Evaluated[],
): string {
  const fact = decisiveFact(runs, key)
  const open = runs
    .flatMap(({ result }) => resultsOf(result))
    .find((result) => result.outcome === 'Undetermined')
  return fact?.sentence ?? open?.missing ?? tooManyRuns.missing
}

const revocations = new Set([revocationOfClient, revocationOfServer])

const isUnrevoked = ({ assumed }: Run<unknown>): boolean =>
  !assumed.some(({ fact, index }) => revocations.has(fact.key) && fact.values[index] === 'Revoked')
