/** The ingress's figures divided by those of other servers. */
import type { Measured } from './measure.ts'
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
  rounds: Map<ServerName, Measured[]>
}

const figures: [string, (measured: Measured) => number][] = [
  ['messages/s', ({ perSecond }) => perSecond],
  ['CPU a message', ({ processor }) => processor],
  ['p99', ({ p99 }) => p99],
]

/**
 * @returns the median ratio of the first server's rate to the second's, over every round of every kind of load; NaN
 * where one is missing
 */
export function medianRateRatio(results: readonly Results[], own: ServerName, other: ServerName): number {
  const all = results.flatMap(({ rounds }) => {
    const others = rounds.get(other) ?? []
    return (rounds.get(own) ?? [])
      .slice(0, others.length)
      .map((one, round) => one.perSecond / (others[round] as Measured).perSecond)
  })
  return median(all)
}

/** @returns paragraphs */
export function ratios(results: readonly Results[]): string[] {
  const same = results.map(({ cell, rounds }) => ({ title: titleOf(cell), rounds }))
  const kinds = [...Map.groupBy(results, ({ cell }) => kindOf(cell))]
  return [
    '### Ratios',
    'Ours over theirs with as many sessions, medians over the rounds.',
    ...figures.map(([title, figure]) => table(title, figure, same)),
    ...(kinds.some(([, several]) => several.length > 1) ? bestOf(kinds) : []),
  ]
}

/** The best number of sessions differs between servers, so each server counts with its own best one. */
function bestOf(kinds: [string, Results[]][]): string[] {
  const rows = kinds.map(([title, several]) => {
    const best = Object.keys(names).flatMap((name) => bestWith(name as ServerName, several) ?? [])
    return { title, best, rounds: new Map(best.map(({ name, measured }) => [name, measured])) }
  })
  return [
    '### Each with the number of sessions at which it takes most',
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

function bestWith(name: ServerName, several: readonly Results[]) {
  const all = several.flatMap(({ cell: { connections }, rounds }) => {
    const measured = rounds.get(name)
    return measured
      ? [{ name, connections, measured, rate: median(measured.map((one) => one.perSecond)) }]
      : []
  })
  return all.toSorted((one, other) => other.rate - one.rate)[0]
}

function table(title: string, figure: (measured: Measured) => number, rows: readonly Row[]): string {
  const there = pairs.filter((pair) => rows.some(({ rounds }) => pair.every((name) => rounds.has(name))))
  if (there.length === 0) return `${title}: nothing to compare.`
  return [
    `| ${[title, ...there.map(([own, other]) => `${names[own]} / ${names[other]}`)].join(' | ')} |`,
    `|---|${'---:|'.repeat(there.length)}`,
    ...rows.map(({ title, rounds }) => {
      const cells = there.map(([own, other]) => ratio(rounds.get(own), rounds.get(other), figure))
      return `| ${[title, ...cells].join(' | ')} |`
    }),
  ].join('\n')
}

function ratio(
  own: readonly Measured[] | undefined,
  other: readonly Measured[] | undefined,
  figure: (measured: Measured) => number,
): string {
  if (!own || !other) return '–'
  return fixed(median(own.map((one, round) => figure(one) / figure(other[round] as Measured))), 2)
}
