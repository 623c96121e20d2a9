/** The ingress's figures divided by those of other servers. */
import type { Measurement } from './measure.ts'
import { median } from './median.ts'
import type { ServerName } from './peers-options.ts'
import { fixed, kindOf, names, type Results, titleOf, whole } from './peers-results.ts'

/** The ingress and the server it is compared with. */
const pairs: [ServerName, ServerName][] = [
  ['mailflow', 'mailflow-before'],
  ['mailflow', 'postfix'],
  ['mailflow', 'postfix-hold'],
  ['mailflow', 'haraka'],
  ['mailflow', 'haraka-2'],
  ['mailflow', 'bare'],
]

interface Row {
  title: string
  rounds: Map<ServerName, Measurement[]>
}

const figures: [string, (measured: Measurement) => number][] = [
  ['messages/s', ({ perSecond }) => perSecond],
  ['CPU per message', ({ processor }) => processor],
  ['p99', ({ p99 }) => p99],
]

/**
 * @returns the median ratio of the first server's rate to the second's, over every round of every kind of load; NaN
 *   when a server has no rounds
 */
export function medianRateRatio(results: readonly Results[], own: ServerName, other: ServerName): number {
  const all = results.flatMap(({ rounds }) => {
    const otherRounds = rounds.get(other) ?? []
    return (rounds.get(own) ?? [])
      .slice(0, otherRounds.length)
      .map((measured, round) => measured.perSecond / (otherRounds[round] as Measurement).perSecond)
  })
  return median(all)
}

/** @returns paragraphs */
export function ratios(results: readonly Results[]): string[] {
  const sameCells = results.map(({ cell, rounds }) => ({ title: titleOf(cell), rounds }))
  const kinds = [...Map.groupBy(results, ({ cell }) => kindOf(cell))]
  return [
    '### Ratios',
    'The figure of the first server divided by the figure of the second, with the same number of sessions; medians over the rounds.',
    ...figures.map(([title, figure]) => table(title, figure, sameCells)),
    ...(kinds.some(([, resultsOfKind]) => resultsOfKind.length > 1) ? bestOf(kinds) : []),
  ]
}

/** The best number of sessions differs between servers, so each server is compared by its own best number. */
function bestOf(kinds: [string, Results[]][]): string[] {
  const rows = kinds.map(([title, resultsOfKind]) => {
    const best = Object.keys(names).flatMap((name) => bestWith(name as ServerName, resultsOfKind) ?? [])
    return { title, best, rounds: new Map(best.map(({ name, measured }) => [name, measured])) }
  })
  return [
    '### Each server with the number of sessions at which its rate is highest',
    rows
      .map(({ title, best }) => {
        const each = best.map(
          ({ name, measured, connections }) =>
            `${names[name]} ${whole(median(measured.map(({ perSecond }) => perSecond)))}/s with ${connections}`,
        )
        return `- ${title}: ${each.join('; ')}`
      })
      .join('\n'),
    ...figures.map(([title, figure]) => table(title, figure, rows)),
  ]
}

function bestWith(name: ServerName, resultsOfKind: readonly Results[]) {
  const all = resultsOfKind.flatMap(({ cell: { connections }, rounds }) => {
    const measured = rounds.get(name)
    return measured
      ? [{ name, connections, measured, rate: median(measured.map(({ perSecond }) => perSecond)) }]
      : []
  })
  return all.toSorted((a, b) => b.rate - a.rate)[0]
}

function table(title: string, figure: (measured: Measurement) => number, rows: readonly Row[]): string {
  const presentPairs = pairs.filter((pair) =>
    rows.some(({ rounds }) => pair.every((name) => rounds.has(name))),
  )
  if (presentPairs.length === 0) return `${title}: nothing to compare.`
  return [
    `| ${[title, ...presentPairs.map(([own, other]) => `${names[own]} / ${names[other]}`)].join(' | ')} |`,
    `|---|${'---:|'.repeat(presentPairs.length)}`,
    ...rows.map(({ title, rounds }) => {
      const cells = presentPairs.map(([own, other]) => ratio(rounds.get(own), rounds.get(other), figure))
      return `| ${[title, ...cells].join(' | ')} |`
    }),
  ].join('\n')
}

function ratio(
  own: readonly Measurement[] | undefined,
  other: readonly Measurement[] | undefined,
  figure: (measured: Measurement) => number,
): string {
  if (!own || !other) return '–'
  return fixed(
    median(own.map((measured, round) => figure(measured) / figure(other[round] as Measurement))),
    2,
  )
}
