/**
 * The sums of the reports, as CSV that Python's csv module reads, beside what clients and the partner counted at their
 * sockets.
 */
import { spawnSync } from 'node:child_process'
import type { Endpoints } from '../../../infra/local/endpoints.ts'
import type { Clients } from './clients.ts'
import type { Arrived } from './counting-partner.ts'
import { behaviourOf, plannedMessage } from './planned-mail.ts'

export interface ReportSum {
  what: string
  counted: number
  report: number
}

export async function reportSums(
  { api }: Pick<Endpoints, 'api'>,
  { counts }: Pick<Clients, 'counts'>,
  { serials, deliveries, dsns }: Arrived,
): Promise<ReportSum[]> {
  const accepted = new Map([...counts.accepted, ...serials])
  const recipients = [...accepted.values()].flatMap((serial) => plannedMessage(serial).recipients)
  const bounced = recipients.filter((address) => behaviourOf(address) === 'never').length
  const [connectors, transit, rejected, nonDelivery] = (await Promise.all(
    ['connector-tls', 'in-transit', 'rejected', 'non-delivery'].map((name) => readReport(api, name)),
  )) as [Row[], Row[], Row[], Row[]]
  const of = (rows: Row[], direction: string) => rows.filter((row) => row.direction === direction)
  const encryptions = ['inClear', 'tls12', 'tls13', 'unknown']
  return [
    {
      what: 'connector-tls, inbound: messages that clients handed over',
      counted: accepted.size,
      report: sum(of(connectors, 'Inbound'), ...encryptions),
    },
    {
      what: 'connector-tls, outbound: messages and recipients at the partner',
      counted: deliveries.size,
      report: sum(of(connectors, 'Outbound'), ...encryptions),
    },
    {
      what: 'in-transit, inbound',
      counted: accepted.size,
      report: sum(of(transit, 'Inbound'), 'sent'),
    },
    {
      what: 'in-transit, outbound',
      counted: accepted.size === 0 ? 0 : recipients.length - bounced + dsns.size,
      report: sum(of(transit, 'Outbound'), 'sent'),
    },
    { what: 'rejected: refusals at clients', counted: counts.refused, report: sum(rejected, 'count') },
    {
      what: 'non-delivery: recipients that the partner never takes',
      counted: bounced,
      report: sum(nonDelivery, 'count'),
    },
  ]
}

type Row = Readonly<Record<string, string>>

const parse = 'import csv, json, sys; print(json.dumps(list(csv.DictReader(sys.stdin))))'

async function readReport(api: string, name: string): Promise<Row[]> {
  const response = await fetch(`${api}/reports/${name}`, { headers: { accept: 'text/csv' } })
  const input = await response.text()
  if (!response.ok) throw new Error(`GET /reports/${name}: ${response.status} ${input}`)
  const { stdout, stderr, status } = spawnSync('python3', ['-c', parse], { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`python3: ${stderr}`)
  return JSON.parse(stdout)
}

const sum = (rows: readonly Row[], ...columns: string[]): number =>
  rows.reduce((total, row) => total + columns.reduce((part, column) => part + Number(row[column]), 0), 0)
