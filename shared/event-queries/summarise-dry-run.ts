/** Counts the results of a dry run by what differs. Pure. */
import type { Settings } from '../policy/evaluate.ts'
import type { Snapshot } from '../policy/snapshot.ts'
import { compareDryRuns } from './dry-run/dry-run.ts'
import type { DryRunResult } from './dry-run/dry-run-result.ts'
import type { DryRun, DryRunOutcome } from './dry-run-schemas.ts'
import type { MailGroup } from './mail-facts-sql.ts'

const maxSamples = 5

export type DryRunSummary = Pick<
  DryRun,
  'considered' | 'same' | 'different' | 'undetermined' | 'notConsidered'
>

/** @param nameOf returns the name of a connector by its id */
export function summariseDryRun(
  groups: Iterable<MailGroup>,
  before: Snapshot,
  after: Snapshot,
  settings: Settings,
  nameOf: (id: string) => string,
): DryRunSummary {
  const summary = { considered: 0, same: 0 }
  const different = new Map<string, DryRun['different'][number]>()
  const undetermined = new Map<string, DryRun['undetermined'][number]>()
  let total = 0
  for (const { facts, count, samples, total: ofAll } of groups) {
    total = ofAll
    summary.considered += count
    const comparison = compareDryRuns(facts, before, after, settings)
    switch (comparison.kind) {
      case 'Same':
        summary.same += count
        break
      case 'Different': {
        const entry = {
          before: outcomeOf(comparison.before, nameOf),
          after: outcomeOf(comparison.after, nameOf),
          unlessRevoked: comparison.unlessRevoked === true,
        }
        add(different, JSON.stringify(entry), entry, count, samples)
        break
      }
      case 'Undetermined':
        add(undetermined, comparison.missing, { missing: comparison.missing }, count, samples)
    }
  }
  return {
    ...summary,
    different: byCount(different),
    undetermined: byCount(undetermined),
    notConsidered: total - summary.considered,
  }
}

function add<T extends object>(
  entries: Map<string, T & { count: number; samples: string[] }>,
  key: string,
  fields: T,
  count: number,
  samples: readonly string[],
): void {
  const entry = entries.get(key) ?? { ...fields, count: 0, samples: [] }
  entries.set(key, entry)
  entry.count += count
  for (const id of samples) if (entry.samples.length < maxSamples) entry.samples.push(id)
}

const byCount = <T extends { count: number }>(entries: ReadonlyMap<string, T>): T[] =>
  [...entries.values()].sort((a, b) => b.count - a.count)

function outcomeOf(result: DryRunResult, nameOf: (id: string) => string): DryRunOutcome {
  if (result.outcome === 'Undetermined')
    return { outcome: result.outcome, reason: result.missing, connector: null, level: null, tlsResult: null }
  const { outcome, reason, connector, level, tlsResult = null } = result
  return { outcome, reason, connector: connector === null ? null : nameOf(connector), level, tlsResult }
}
