/** Tables of the cost, in Markdown. */
import { type Cost, type CostLine, total } from './cost-model.ts'
import { type FloorLine, floorTotal } from './floor-model.ts'

const usd = (amount: number): string => amount.toFixed(2)

const table = (
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[],
): string =>
  [headings, headings.map((_, column) => (numbers.includes(column) ? '---:' : '---')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')

/** USD per million messages by service and unit. */
export function byServiceAndUnit(lines: readonly CostLine[]): string {
  const units = [...new Set(lines.map(({ unit }) => unit))]
  const services = [...new Set(lines.map(({ service }) => service))]
  const sum = (service: string | null, unit: string | null) =>
    total(
      lines.filter(
        (line) => (service === null || line.service === service) && (unit === null || line.unit === unit),
      ),
    )
  const cell = (amount: number) => (amount < 0.005 ? '' : usd(amount))
  const rows = services
    .toSorted((a, b) => sum(b, null) - sum(a, null))
    .map((service) => [service, ...units.map((unit) => cell(sum(service, unit))), usd(sum(service, null))])
  const last = ['total', ...units.map((unit) => usd(sum(null, unit))), usd(total(lines))]
  const numbers = units.map((_, column) => column + 1)
  return table(['USD per million', ...units, 'total'], [...rows, last], [...numbers, units.length + 1])
}

export const linesTable = (lines: readonly CostLine[]): string =>
  table(
    ['service', 'unit', 'item', 'per message', 'USD per million', 'origin'],
    lines.map((line) => [
      line.service,
      line.unit,
      line.item,
      (line.quantity / 1e6).toPrecision(3),
      usd(line.usd),
      line.origin.toLowerCase(),
    ]),
    [3, 4],
  )

export const batchesTable = ({ batches }: Cost): string =>
  table(
    ['function', 'queue', 'jobs per invocation', 'billed ms', 'concurrent invocations'],
    batches.map(({ unit, queue, jobs, durationMs, concurrency, isSufficient }) => [
      unit,
      queue,
      jobs.toFixed(1),
      durationMs.toFixed(0),
      `${concurrency.toFixed(1)}${isSufficient ? '' : ' (more than the maximum)'}`,
    ]),
    [2, 3, 4],
  )

export const floorTable = (lines: readonly FloorLine[]): string =>
  table(
    ['each month, without mail', 'quantity', 'USD'],
    [
      ...lines.map(({ item, quantity, usd: cost }) => [
        item,
        Number(quantity.toPrecision(3)).toLocaleString('en'),
        usd(cost),
      ]),
      ['total', '', usd(floorTotal(lines))],
    ],
    [1, 2],
  )

/** The expensive services and units, in one line. */
export function expensiveParts(lines: readonly CostLine[], count: number): string {
  const groups = Map.groupBy(lines, ({ service, unit }) => `${service} of ${unit}`)
  return [...groups]
    .map(([name, group]): [string, number] => [name, total(group)])
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([name, cost]) => `${name} ${usd(cost)}`)
    .join('; ')
}
