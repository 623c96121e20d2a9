/** The fields of reports that are printed. Others are ignored, so that newer gateways work. */
import * as z from 'zod'

const ReportColumn = z.object({ name: z.string(), type: z.string(), description: z.string() })
export type ReportColumn = z.output<typeof ReportColumn>

export const ReportSummary = z.object({ name: z.string(), title: z.string(), columns: z.array(ReportColumn) })

const ReportValue = z.union([z.string(), z.number(), z.null()])
export type ReportValue = z.output<typeof ReportValue>

export const Report = z.object({
  title: z.string(),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  timeZone: z.string(),
  soFar: z.iso.datetime().nullable(),
  columns: z.array(ReportColumn),
  rows: z.array(z.record(z.string(), ReportValue)),
  samples: z.array(z.array(z.string())),
})
export type Report = z.output<typeof Report>
