/** The rates of outbound SMTP clients that alternate, as a Markdown table. */
import { type Pause, pauses } from './client-servers.ts'
import { median } from './median.ts'

/** One kind of load. */
export interface Cell {
  kilobytes: number
  pauseMs: Pause
  sessions: number
}

export interface Column {
  title: string
  /** @param messages number for a client that sends a number of messages, and not for a time @returns messages/s */
  measure(cell: Cell, messages: number): Promise<number>
}

export interface Table {
  title: string
  columns: readonly Column[]
  /** Each first column is divided by its second. */
  ratios: readonly (readonly [Column, Column])[]
}

export interface Rounds {
  rounds: number
  /** Seconds of one measurement. */
  seconds: number
}

const cells: readonly Cell[] = [4, 50].flatMap((kilobytes) =>
  pauses.flatMap((pauseMs) => [1, 4].map((sessions) => ({ kilobytes, pauseMs, sessions }))),
)

const messageLimits = { min: 20, max: 3000 }

/** Each column has a warm-up, and every other round has the reverse order. */
export async function measureRates(table: Table, options: Rounds): Promise<string> {
  const rows: string[] = []
  for (const cell of cells) rows.push(row(cell, table, await ratesOf(cell, table, options)))
  const titles = [
    ...table.columns.map(({ title }) => title),
    ...table.ratios.map(([first, second]) => `${first.title} / ${second.title}`),
  ]
  return [
    `### ${table.title}, messages per second`,
    '',
    `| message | round trip | sessions | ${titles.join(' | ')} |`,
    `|---:|---:|---:|${titles.map(() => '---:|').join('')}`,
    ...rows,
  ].join('\n')
}

type Rates = Map<Column, number[]>

async function ratesOf(cell: Cell, { title, columns }: Table, { rounds, seconds }: Rounds): Promise<Rates> {
  const rates: Rates = new Map()
  let messages = messageLimits.min
  for (const column of columns) {
    const rate = await column.measure(cell, messages)
    if (column === columns[0]) messages = clamp(Math.round(rate * seconds))
  }
  for (let round = 0; round < rounds; round++)
    for (const column of round % 2 === 0 ? columns : columns.toReversed()) {
      const rate = await column.measure(cell, messages)
      rates.set(column, [...(rates.get(column) ?? []), rate])
      console.error(`${title}, ${JSON.stringify(cell)}, ${column.title}: ${rate.toFixed(1)}/s`)
    }
  return rates
}

const clamp = (messages: number): number => Math.min(messageLimits.max, Math.max(messageLimits.min, messages))

function row({ kilobytes, pauseMs, sessions }: Cell, { columns, ratios }: Table, rates: Rates): string {
  const ratesOfColumn = (column: Column) => rates.get(column) ?? []
  const figures = columns.map((column) => {
    const rate = median(ratesOfColumn(column))
    const perSession = sessions > 1 ? ` (${whole(rate / sessions)} each)` : ''
    return `${whole(rate)}${perSession}`
  })
  const quotients = ratios.map(([first, second]) =>
    median(
      ratesOfColumn(first).map((rate, round) => rate / (ratesOfColumn(second)[round] ?? Number.NaN)),
    ).toFixed(2),
  )
  return `| ${[`${kilobytes} KB`, `${pauseMs} ms`, sessions, ...figures, ...quotients].join(' | ')} |`
}

const whole = (rate: number): string => rate.toFixed(rate < 100 ? 1 : 0)
