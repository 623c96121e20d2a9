/** The Markdown report of `npm run bench:peers`. */
import type { Measurement } from './measure.ts'
import { median } from './median.ts'
import { ratios } from './peers-ratios.ts'
import { fixed, names, type Results, titleOf, whole } from './peers-results.ts'

export const report = (results: readonly Results[]): string =>
  [...results.map(section), ...ratios(results)].join('\n\n')

function section({ cell, rounds, memory }: Results): string {
  const head = [
    '| | messages/s | range | p50 | p99 | CPU s per 1,000 | peak memory | generator | errors |',
    '|---|---:|---:|---:|---:|---:|---:|---:|---:|',
  ]
  const rows = [...rounds].map(([server, measured]) => row(names[server], measured, memory.get(server)))
  const notes = [...rounds].flatMap(([server, measured]) => notesOn(names[server], measured))
  return [`### ${titleOf(cell)}`, '', ...head, ...rows, ...notes.map((note) => `\n${note}`)].join('\n')
}

function row(name: string, rounds: readonly Measurement[], memory = Number.NaN): string {
  const rates = rounds.map(({ perSecond }) => perSecond)
  const middle = (figure: (measured: Measurement) => number) => median(rounds.map(figure))
  const cells = [
    name,
    whole(median(rates)),
    `${whole(Math.min(...rates))}–${whole(Math.max(...rates))}`,
    `${fixed(
      middle(({ p50 }) => p50),
      1,
    )} ms`,
    `${fixed(
      middle(({ p99 }) => p99),
      1,
    )} ms`,
    fixed(
      middle(({ processor }) => processor),
      3,
    ),
    `${whole(memory / 2 ** 20)} MiB`,
    `${whole(middle(({ generator }) => generator) * 100)} %`,
    String(sum([...countErrors(rounds).values()])),
  ]
  return `| ${cells.join(' | ')} |`
}

/** Notes on a row: facts that its figures do not show, and reasons why the figures are uncertain. */
function notesOn(name: string, rounds: readonly Measurement[]): string[] {
  const errors = [...countErrors(rounds)].map(([cause, times]) => `${times} × ${cause}`)
  const queued = Math.max(...rounds.map(({ queuedAtEnd }) => queuedAtEnd))
  const remaining = Math.max(...rounds.map(({ queuedAfter }) => queuedAfter))
  const busy = Math.max(...rounds.map(({ generator }) => generator))
  const [handshakes, resumed] = [
    sum(rounds.map(({ handshakes }) => handshakes)),
    sum(rounds.map(({ resumed }) => resumed)),
  ]
  return [
    ...(errors.length > 0 ? [`${name}, errors: ${errors.join('; ')}.`] : []),
    ...(queued > 0
      ? [`${name}: up to ${queued} messages in its queue when a load ended, ${remaining} after waiting.`]
      : []),
    ...(busy > 0.95
      ? [`${name}: the load generator was the limit in a round, busy ${whole(busy * 100)} %.`]
      : []),
    ...(resumed > 0 ? [`${name}: ${resumed} of ${handshakes} handshakes resumed a session.`] : []),
  ]
}

function countErrors(rounds: readonly Measurement[]): Map<string, number> {
  const all = new Map<string, number>()
  for (const { errors } of rounds)
    for (const [cause, times] of errors) all.set(cause, (all.get(cause) ?? 0) + times)
  return all
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)
