/** Formats the result of a dry run. Pure. */
import * as z from 'zod'
import { formatTime } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'

const text = z.string().nullable()

const Outcome = z.object({
  outcome: z.string(),
  reason: text,
  connector: text,
  level: text,
  tlsResult: text,
})
type Outcome = z.output<typeof Outcome>

/** The fields that the command prints. Others are kept for JSON, so that newer gateways work. */
export const DryRun = z.looseObject({
  state: z.string(),
  reason: text,
  from: z.string(),
  to: z.string(),
  scannedOctets: z.number(),
  ms: z.number(),
  considered: z.number(),
  same: z.number(),
  different: z.array(
    z.looseObject({
      before: Outcome,
      after: Outcome,
      count: z.number(),
      samples: z.array(z.string()),
      unlessRevoked: z.boolean(),
    }),
  ),
  undetermined: z.array(
    z.looseObject({ missing: z.string(), count: z.number(), samples: z.array(z.string()) }),
  ),
  notConsidered: z.number(),
})
export type DryRun = z.output<typeof DryRun>

const columns: readonly Column[] = [
  { heading: 'Count', isRightAligned: true },
  { heading: 'Now', minWidth: 28 },
  { heading: 'Then', minWidth: 28 },
  { heading: 'Such as' },
]

/** @param width columns of the terminal; undefined: no cell is cut */
export function dryRunText(result: DryRun, width: number | undefined): string {
  const { from, to, considered, same, different, undetermined, notConsidered } = result
  const rows = [
    ...different.map(({ count, before, after, samples, unlessRevoked }) => [
      String(count),
      outcomeText(before),
      `${outcomeText(after)}${unlessRevoked ? ', unless a certificate was revoked' : ''}`,
      samples[0] ?? '',
    ]),
    ...undetermined.map(({ count, missing, samples }) => [
      String(count),
      '?',
      `cannot be told: ${missing}`,
      samples[0] ?? '',
    ]),
  ]
  const summary =
    considered === 0
      ? 'No mail that these connectors could concern.'
      : `${considered} recipients and refusals: ${same} the same, ${sum(different)} different, ${sum(undetermined)} cannot be told.`
  return [
    `Mail from ${formatTime(from)} to ${formatTime(to)}`,
    summary,
    ...(notConsidered > 0
      ? [`${notConsidered} more, of rarer kinds, were not decided: give a shorter period.`]
      : []),
    ...(rows.length > 0 ? ['', table(columns, rows, width)] : []),
  ].join('\n')
}

const sum = (entries: readonly { count: number }[]): number =>
  entries.reduce((total, { count }) => total + count, 0)

function outcomeText({ outcome, reason, connector, level, tlsResult }: Outcome): string {
  if (outcome === 'Undetermined') return `cannot be told: ${reason ?? ''}`
  const details = [reason, tlsResult, level, connector === null ? null : `"${connector}"`]
  return `${outcome}: ${details.filter((detail) => detail !== null).join(', ')}`
}
