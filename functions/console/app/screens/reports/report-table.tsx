/** The rows of a report: up to 10,000, in pages. */
import Box from '@cloudscape-design/components/box'
import Header from '@cloudscape-design/components/header'
import Pagination from '@cloudscape-design/components/pagination'
import Table from '@cloudscape-design/components/table'
import { useMemo } from 'react'
import { columnHeading } from '../../../../../shared/event-queries/reports/column-heading.ts'
import type { Report } from '../../api/types.ts'
import { pageOf, sortedBy } from '../../components/paging.ts'
import { useViewState } from '../../use-view-state.ts'
import { reportColumns } from './report-columns.tsx'
import { reportFacts } from './report-facts.ts'
import { reportRows, shownColumns, sumsOf } from './report-rows.ts'

const pageSize = 50

export function ReportTable({ report }: { report: Report }) {
  const [{ sort, order, page }, change] = useViewState()
  const isDescending = order === 'descending'
  const sorted = useMemo(() => {
    const rows = reportRows(report)
    const isColumn = report.columns.some(({ name }) => name === sort)
    return isColumn ? sortedBy(rows, ({ values }) => values[sort as string] ?? null, isDescending) : rows
  }, [report, sort, isDescending])
  const columns = useMemo(() => reportColumns(report), [report])
  const shown = pageOf(sorted, page, pageSize)
  const { hasPeriod } = reportFacts[report.name]
  const sums = sumsOf(report)
  const { zero } = shownColumns(report)
  const sortingColumn = columns.find(({ id }) => id === sort)
  return (
    <div className="dense">
      <Table
        items={shown.items}
        trackBy={({ index }) => String(index)}
        columnDefinitions={columns}
        contentDensity="compact"
        cellVerticalAlign="top"
        wrapLines
        {...(sortingColumn && { sortingColumn, sortingDescending: isDescending })}
        onSortingChange={({ detail }) =>
          change({
            sort: detail.sortingColumn.sortingField ?? '',
            order: detail.isDescending ? 'descending' : '',
            page: '',
          })
        }
        ariaLabels={{ tableLabel: report.title }}
        header={
          <Header variant="h2" counter={`(${report.rows.length.toLocaleString()})`}>
            Rows
          </Header>
        }
        footer={
          <>
            {shown.count > 1 && (
              <div className="only-printed">
                Page {shown.number} of {shown.count}. The CSV file has all rows.
              </div>
            )}
            {sums.length > 0 && <Box fontWeight="bold">{`Sum of all rows: ${sums.join(', ')}`}</Box>}
            {zero.length > 0 && (
              <Box color="text-body-secondary" fontSize="body-s">
                {`0 in each row, and not shown: ${zero.map(({ name }) => columnHeading(name)).join(', ')}`}
              </Box>
            )}
          </>
        }
        empty={
          <Box>
            <div>No entries match the filters.</div>
            <div>{hasPeriod ? 'Choose a longer period, or clear the filters.' : 'Clear the filters.'}</div>
          </Box>
        }
        {...(shown.count > 1 && {
          pagination: (
            <Pagination
              currentPageIndex={shown.number}
              pagesCount={shown.count}
              onChange={({ detail }) => change({ page: String(detail.currentPageIndex) })}
            />
          ),
        })}
      />
    </div>
  )
}
