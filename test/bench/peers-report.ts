/** The Markdown of `npm run bench:peers`. */
import type { Measured } from './measure.ts'
import { median } from './median.ts'
import type { Cell, ServerName } from './peers-options.ts'

export interface Results {
  cell: Cell
  /** Of each server one for each round, in order. */
  rounds: Map<ServerName, Measured[]>
  /** Octets, at their most. */
  memory: Map<ServerName, number>
}

const names: Record<ServerName, string> = {
  mailflow: 'mailflow, 1 worker',
  'mailflow-2': 'mailflow, 2 workers',
  postfix: 'Postfix',
  'postfix-hold': 'Postfix, which only queues',
  haraka: 'Haraka, 1 process',
  'haraka-2': 'Haraka, cluster of 2',
  bare: 'bare smtp-server',
}

/** Ours over theirs, with as many processes where they have a number of them. */
const pairs: [ServerName, ServerName][] = [
  ['mailflow', 'postfix'],
  ['mailflow', 'postfix-hold'],
  ['mailflow', 'haraka'],
  ['mailflow', 'bare'],
  ['mailflow-2', 'postfix'],
  ['mailflow-2', 'haraka-2'],
]

export const report = (results: readonly Results[]): string =>
  [...results.map(section), '### Ratios', ratios(results)].join('\n\n')

export const titleOf = ({ kilobytes, mode, isSecure, connections }: Cell): string =>
  [
    `${kilobytes} KB`,
    mode === 'Persistent' ? 'sessions that stay open' : 'a connection for each message',
    isSecure ? 'TLS' : 'in the clear',
    `${connections} at once`,
  ].join(', ')

function section({ cell, rounds, memory }: Results): string {
  const head = [
    '| | messages/s | range | p50 | p99 | CPU s per 1,000 | peak memory | generator | errors |',
    '|---|---:|---:|---:|---:|---:|---:|---:|---:|',
  ]
  const rows = [...rounds].map(([server, measured]) => row(names[server], measured, memory.get(server)))
  const remarks = [...rounds].flatMap(([server, measured]) => remarksOn(names[server], measured))
  return [`### ${titleOf(cell)}`, '', ...head, ...rows, ...remarks.map((remark) => `\n${remark}`)].join('\n')
}

function row(name: string, rounds: readonly Measured[], memory = Number.NaN): string {
  const rates = rounds.map(({ perSecond }) => perSecond)
  const middle = (figure: (measured: Measured) => number) => median(rounds.map(figure))
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

/** What the row's figures do not say, and what makes them doubtful. */
function remarksOn(name: string, rounds: readonly Measured[]): string[] {
  const errors = [...countErrors(rounds)].map(([cause, times]) => `${times} × ${cause}`)
  const queued = Math.max(...rounds.map(({ queuedAtEnd }) => queuedAtEnd))
  const left = Math.max(...rounds.map(({ queuedAfter }) => queuedAfter))
  const busy = Math.max(...rounds.map(({ generator }) => generator))
  const [handshakes, resumed] = [
    sum(rounds.map((one) => one.handshakes)),
    sum(rounds.map((one) => one.resumed)),
  ]
  return [
    ...(errors.length > 0 ? [`${name}, errors: ${errors.join('; ')}.`] : []),
    ...(queued > 0
      ? [`${name}: up to ${queued} messages in its queue when a load ended, ${left} after waiting.`]
      : []),
    ...(busy > 0.95
      ? [`${name}: the load generator was the limit in a round, busy ${whole(busy * 100)} %.`]
      : []),
    ...(resumed > 0 ? [`${name}: ${resumed} of ${handshakes} handshakes resumed a session.`] : []),
  ]
}

function countErrors(rounds: readonly Measured[]): Map<string, number> {
  const all = new Map<string, number>()
  for (const { errors } of rounds)
    for (const [cause, times] of errors) all.set(cause, (all.get(cause) ?? 0) + times)
  return all
}

function ratios(results: readonly Results[]): string {
  const there = pairs.filter((pair) => results.some(({ rounds }) => pair.every((name) => rounds.has(name))))
  if (there.length === 0) return 'Nothing to compare.'
  const table = (title: string, figure: (measured: Measured) => number) => [
    `| ${[title, ...there.map(([ours, theirs]) => `${names[ours]} / ${names[theirs]}`)].join(' | ')} |`,
    `|---|${'---:|'.repeat(there.length)}`,
    ...results.map(({ cell, rounds }) => {
      const cells = there.map(([ours, theirs]) => ratio(rounds.get(ours), rounds.get(theirs), figure))
      return `| ${[titleOf(cell), ...cells].join(' | ')} |`
    }),
  ]
  return [
    'Ours over theirs, medians over the rounds.',
    '',
    ...table('messages/s', ({ perSecond }) => perSecond),
    '',
    ...table('CPU a message', ({ processor }) => processor),
    '',
    ...table('p99', ({ p99 }) => p99),
  ].join('\n')
}

function ratio(
  ours: readonly Measured[] | undefined,
  theirs: readonly Measured[] | undefined,
  figure: (measured: Measured) => number,
): string {
  if (!ours || !theirs) return '–'
  return fixed(median(ours.map((one, round) => figure(one) / figure(theirs[round] as Measured))), 2)
}

/** Where nothing was accepted there is no figure. */
const fixed = (value: number, digits: number): string =>
  Number.isFinite(value) ? value.toFixed(digits) : '–'
const whole = (value: number): string => fixed(value, 0)
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)
