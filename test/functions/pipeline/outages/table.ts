/** The results as a table in Markdown. Pure. */
import { describeOutages, type Outage } from './schedule.ts'
import type { Result } from './simulate.ts'

const columns: Record<string, (result: Result) => string> = {
  accepted: ({ accepted }) => formatCount(accepted),
  delivered: ({ delivered }) => formatCount(delivered),
  returned: ({ returned }) => formatCount(returned),
  'dead letters': ({ deadLetters }) => formatCount(deadLetters),
  repeated: ({ repeated }) => formatCount(repeated),
  'stored despite 451': ({ storedDespite451 }) => formatCount(storedDespite451),
  'delay DSNs': ({ delayDsns }) => formatCount(delayDsns),
  'drained, min': ({ drainMinutes }) => drainMinutes.toFixed(0),
  'with senders, min': ({ senderMinutes }) => senderMinutes.toFixed(0),
  'MX mail, median min': ({ mxMinutes }) => mxMinutes.median.toFixed(1),
  'MX mail, max min': ({ mxMinutes }) => mxMinutes.max.toFixed(1),
  'in flight': ({ maxInFlight }) => formatCount(maxInFlight),
  'stopped by that quota, min': ({ stalledMinutes }) => stalledMinutes.toFixed(0),
}

const formatCount = (count: number): string => count.toLocaleString('en-GB')

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

export const tableHead = (): string =>
  [row(['Away', ...Object.keys(columns)]), row(['---', ...Object.keys(columns).map(() => '---:')])].join('\n')

export const tableRow = (outages: readonly Outage[], result: Result): string =>
  row([describeOutages(outages), ...Object.values(columns).map((format) => format(result))])
