/** All observed certificates, with filters, an order and pages that the address keeps. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Header from '@cloudscape-design/components/header'
import Pagination from '@cloudscape-design/components/pagination'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Table from '@cloudscape-design/components/table'
import { useMemo } from 'react'
import type { ObservedCertificates } from '../../api/types.ts'
import { useReadAll } from '../../api/use-read-all.ts'
import { Failure } from '../../components/failure.tsx'
import { pageOf } from '../../components/paging.ts'
import { useViewState } from '../../use-view-state.ts'
import { observedColumns } from './observed-columns.tsx'
import { ObservedFilters } from './observed-filters.tsx'
import { filterObserved, isSortKey, observedRows, readWithin, sortObserved } from './observed-rows.ts'

const pageSize = 50
const limit = 100
const noFilters = { kind: '', q: '', within: '', use: '', page: '' }

export function ObservedTable() {
  const [{ kind = '', q = '', within, use, sort, order, page }, change] = useViewState()
  const result = useReadAll<ObservedCertificates>('/certificates/observed', limit)
  const sortKey = isSortKey(sort) ? sort : 'daysLeft'
  const isDescending = order === 'descending'
  const rows = useMemo(() => observedRows(result.data ?? []), [result.data])
  const matching = useMemo(() => {
    const filter = { kind, text: q, within: readWithin(within), includesEarlier: use === 'All' }
    return sortObserved(filterObserved(rows, filter), sortKey, isDescending)
  }, [rows, kind, q, within, use, sortKey, isDescending])
  const shown = pageOf(matching, page, pageSize)
  if (result.error && result.data === undefined)
    return (
      <Failure
        title="Cannot read the observed certificates"
        error={result.error}
        retry={() => result.refetch()}
      />
    )
  return (
    <Table
      items={shown.items}
      trackBy="key"
      columnDefinitions={observedColumns}
      loading={result.data === undefined}
      loadingText="Reading the observed certificates"
      contentDensity="compact"
      cellVerticalAlign="top"
      wrapLines
      ariaLabels={{ tableLabel: 'Observed certificates' }}
      sortingColumn={{ sortingField: sortKey }}
      sortingDescending={isDescending}
      onSortingChange={({ detail }) =>
        change({
          sort: detail.sortingColumn.sortingField ?? '',
          order: detail.isDescending ? 'descending' : '',
          page: '',
        })
      }
      header={
        <Header
          variant="h2"
          counter={`(${matching.length.toLocaleString()})`}
          description="By connector and host, as mail used them. Those that expire first are first."
        >
          Observed
        </Header>
      }
      filter={<ObservedFilters />}
      {...(shown.count > 1 && {
        pagination: (
          <Pagination
            currentPageIndex={shown.number}
            pagesCount={shown.count}
            onChange={({ detail }) => change({ page: String(detail.currentPageIndex) })}
          />
        ),
      })}
      empty={
        rows.length > 0 ? (
          <SpaceBetween size="s" alignItems="center">
            <Box>No observed certificate matches the filters.</Box>
            <Button onClick={() => change(noFilters)}>Clear the filters</Button>
          </SpaceBetween>
        ) : (
          <Box>
            <Box variant="strong">No certificate was observed yet.</Box>
            <div>Certificates appear here with the mail that uses them, in both directions.</div>
          </Box>
        )
      }
    />
  )
}
