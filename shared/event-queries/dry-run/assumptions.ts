/**
 * Runs an evaluation under every value of the facts that events do not hold. If all results are equal, the missing facts
 * do not matter. Pure.
 */

/** A fact that events do not hold. */
export interface MissingFact<T> {
  /** The same fact has the same key and the same number of values in every evaluation of a mail. */
  key: string
  /** A sentence for the administrator. */
  sentence: string
  /** At least one. */
  values: readonly T[]
}

/** Returns a value of a missing fact; the same value for the same key. */
export type Assume = <T>(missing: MissingFact<T>) => T

/** One evaluation with the values that it assumed, in the order in which it needed them. */
export interface Run<R> {
  assumed: readonly { fact: MissingFact<unknown>; index: number }[]
  result: R
}

/** Beyond this number of evaluations, too much is missing. */
const maxRuns = 1024

/**
 * @param evaluate without side effects, because it runs several times
 * @returns a run for each combination of values that makes a difference to what is assumed next; null if there are too
 * many
 */
export function runUnderAssumptions<R>(evaluate: (assume: Assume) => R): Run<R>[] | null {
  const runs: Run<R>[] = []
  const pending: number[][] = [[]]
  for (let planned = pending.pop(); planned !== undefined; planned = pending.pop()) {
    if (runs.length + pending.length >= maxRuns) return null
    runs.push(runOnce(evaluate, planned, pending))
  }
  return runs
}

/** @param planned indexes of the first assumed values @param pending gets the plans for the values not assumed here */
function runOnce<R>(evaluate: (assume: Assume) => R, planned: number[], pending: number[][]): Run<R> {
  const assumed: { fact: MissingFact<unknown>; index: number }[] = []
  const indexes = new Map<string, number>()
  const assume: Assume = (fact) => {
    const known = fact.values.length === 1 ? 0 : indexes.get(fact.key)
    if (known !== undefined) return fact.values[known] as never
    const index = planned[assumed.length] ?? 0
    if (assumed.length >= planned.length) {
      const before = assumed.map((each) => each.index)
      for (let other = fact.values.length - 1; other > 0; other--) pending.push([...before, other])
    }
    assumed.push({ fact, index })
    indexes.set(fact.key, index)
    return fact.values[index] as never
  }
  return { result: evaluate(assume), assumed }
}

/**
 * Finds the first missing fact on which results depend.
 * @param keyOf the same text for equal results
 * @returns null if all results are equal
 */
export function decisiveFact<R>(
  runs: readonly Run<R>[],
  keyOf: (result: R) => string,
): MissingFact<unknown> | null {
  if (new Set(runs.map(({ result }) => keyOf(result))).size <= 1) return null
  return decisiveFrom(runs, keyOf, 0)
}

function decisiveFrom<R>(
  runs: readonly Run<R>[],
  keyOf: (result: R) => string,
  position: number,
): MissingFact<unknown> | null {
  const branches = [...Map.groupBy(runs, ({ assumed }) => assumed[position]?.index ?? 0).values()]
  const resultsOf = (branch: readonly Run<R>[]) =>
    [...new Set(branch.map(({ result }) => keyOf(result)))].sort()
  const [first = []] = branches.map((branch) => resultsOf(branch))
  const isDecisive = branches.some((branch) => JSON.stringify(resultsOf(branch)) !== JSON.stringify(first))
  const fact = runs[0]?.assumed[position]?.fact ?? null
  if (fact === null || isDecisive) return fact
  return (
    branches.map((branch) => decisiveFrom(branch, keyOf, position + 1)).find((found) => found !== null) ??
    null
  )
}
