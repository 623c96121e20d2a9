/** The columns of a report's table, from the columns of the report. */
import type { TableProps } from '@cloudscape-design/components/table'
import type { ReactNode } from 'react'
import { columnHeading } from '../../../../../shared/event-queries/reports/column-heading.ts'
import type { Report } from '../../api/types.ts'
import { octetsText } from '../../components/octets-text.ts'
import { SampleLinks, SampleList } from '../../components/sample-links.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { minTextWidth, type ReportColumn, type ReportRow, shownColumns } from './report-rows.ts'

/** With more, the samples are listed on request. */
const manyColumns = 7

export function reportColumns(report: Report): TableProps.ColumnDefinition<ReportRow>[] {
  const { shown } = shownColumns(report)
  const isNarrow = shown.length > manyColumns
  const hasSamples = report.samples.some(({ length }) => length > 0)
  return [
    ...shown.map((column, index) => ({
      id: column.name,
      sortingField: column.name,
      isRowHeader: index === 0,
      header: heading(column),
      ...(column.type === 'text' && { minWidth: minTextWidth(report.rows.map((row) => row[column.name])) }),
      cell: (row: ReportRow) => (
        <div className="small">{cellContent(column, row.values[column.name] ?? null)}</div>
      ),
    })),
    ...(hasSamples
      ? [
          {
            id: 'samples',
            header: <span className="small samples">Samples</span>,
            minWidth: isNarrow ? 85 : 105,
            cell: ({ samples }: ReportRow) => (
              <div className="small samples">
                {isNarrow ? <SampleList ids={samples} /> : <SampleLinks ids={samples} />}
              </div>
            ),
          },
        ]
      : []),
  ]
}

const heading = ({ name, type, description }: ReportColumn): ReactNode => (
  <span title={description} className={type === 'number' ? 'small number-heading' : 'small'}>
    {columnHeading(name)}
  </span>
)

function cellContent({ name, type }: ReportColumn, value: string | number | null): ReactNode {
  if (value === null) return '–'
  switch (type) {
    case 'number':
      return <span className="number">{numberText(name, Number(value))}</span>
    case 'time':
      return <Time at={String(value)} />
    case 'date':
      return <span className="unbroken">{value}</span>
    default:
      return <TextOfOthers text={String(value)} />
  }
}

const numberText = (name: string, value: number): string =>
  name === 'volume'
    ? octetsText(value)
    : name === 'share'
      ? `${(100 * value).toLocaleString(undefined, { maximumFractionDigits: 1 })} %`
      : value.toLocaleString()
