/** The loads as text. */
import type { ResourceLoad } from './capacity-model.ts'

const number = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)))

/** @param count of rows */
export function loadsTable(loads: readonly ResourceLoad[], count = loads.length): string {
  const rows = loads
    .slice(0, count)
    .map(({ resource, measure, load, limit, percent, remedy, of, source }) => [
      `${Math.round(percent)} %`,
      resource,
      measure,
      number(load),
      number(limit),
      remedy === 'Request' ? `AWS on request: ${of}` : remedy === 'Setting' ? `setting: ${of}` : of,
      source,
    ])
  return [
    '| of the limit | resource | measure | load | limit | limited by | source |',
    '|---:|---|---|---:|---:|---|---|',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ].join('\n')
}

export const describeLoad = ({ resource, measure, load, limit }: ResourceLoad): string =>
  `${resource}: ${measure}, ${number(load)} of ${number(limit)}`
