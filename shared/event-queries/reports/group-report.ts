/** A report by fewer columns: rows that are then equal are added, so the sums are those of the report. Pure. */
import type { CountedReport, ReportRow } from './report.ts'

/**
 * @param names columns by which the rows stay apart
 * @param isIncluded whether a row of the report is counted, by its columns that are no sums
 */
export function groupReport(
  report: CountedReport,
  names: readonly string[],
  isIncluded: (key: ReportRow) => boolean = () => true,
): CountedReport {
  const remains = (name: string) => names.includes(name)
  return {
    title: report.title,
    columns: report.columns.filter(({ name, isSum }) => isSum || remains(name)),
    mergeable: report.mergeable.filter(remains),
    contribute(events, context) {
      const added = report.contribute(events, context)
      if (added === null || !isIncluded(added.key)) return null
      const key = Object.fromEntries(names.map((name) => [name, added.key[name] ?? null]))
      return { key, sums: added.sums }
    },
  }
}
