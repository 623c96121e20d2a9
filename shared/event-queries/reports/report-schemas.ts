/** The API's schemas of reports. */
import * as z from 'zod'
import { instant } from '../../http-api/lists.ts'
import type { RouteDescription } from '../../http-api/route.ts'
import { domainParameter } from '../domain-parameter.ts'

export const ReportName = z.enum([
  'connector-tls',
  'in-transit',
  'rejected',
  'domain-status',
  'non-accepted-domains',
  'non-delivery',
  'queued',
  'tls-rpt',
  'key-exchange',
])
export type ReportName = z.infer<typeof ReportName>

const ReportColumn = z.strictObject({
  name: z.string(),
  type: z.enum(['date', 'time', 'text', 'number']),
  description: z.string(),
})

export const ReportList = z.strictObject({
  items: z.array(z.strictObject({ name: ReportName, title: z.string(), columns: z.array(ReportColumn) })),
})

export const Report = z.strictObject({
  name: ReportName,
  title: z.string(),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  timeZone: z.string(),
  soFar: z.iso
    .datetime()
    .nullable()
    .describe('from this time on, events may still be missing; null: the numbers are complete'),
  columns: z.array(ReportColumn),
  rows: z.array(z.record(z.string(), z.union([z.string(), z.number(), z.null()]))),
  samples: z
    .array(z.array(z.string()))
    .describe('for each row, ids of some of its messages; of a refused session, ids of events'),
})
export type Report = z.infer<typeof Report>

const timeZone = z
  .string()
  .max(64)
  .refine((name) => {
    try {
      return new Intl.DateTimeFormat('en', { timeZone: name }) !== null
    } catch {
      return false
    }
  }, 'is not a time zone, such as Europe/Berlin')

export const ReportQuery = z.strictObject({
  from: instant.optional().describe('default: 7 days, the day of `to` included. Rounded down to the hour'),
  to: instant.optional().describe('default: now. Rounded up to the hour'),
  partner: domainParameter.optional().describe('domain of the other side'),
  connector: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('id or name of a connector; a name may be that of an inbound and an outbound connector'),
  timeZone: timeZone
    .optional()
    .describe(
      'IANA name of the time zone of the days; default: UTC. An hour of UTC belongs to the day in which it begins',
    ),
})
export type ReportQuery = z.output<typeof ReportQuery>

export const listReports = {
  method: 'GET',
  path: '/reports',
  role: 'read',
  summary: 'List the reports',
  answers: { 200: ReportList },
} as const satisfies RouteDescription

export const readReport = {
  method: 'GET',
  path: '/reports/{name}',
  role: 'read',
  summary: 'Read a report, of the last 7 days by default',
  query: ReportQuery,
  csv: true,
  answers: { 200: Report },
  problems: [404],
} as const satisfies RouteDescription
