/** The table of partners, with a filter, an order and pages that the address keeps. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Header from '@cloudscape-design/components/header'
import Pagination from '@cloudscape-design/components/pagination'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Table from '@cloudscape-design/components/table'
import TextFilter from '@cloudscape-design/components/text-filter'
import { useMemo } from 'react'
import { useLocation } from 'wouter'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import { useMay } from '../../api/use-roles.ts'
import { useViewState } from '../../use-view-state.ts'
import { partnerColumns } from './partner-columns.tsx'
import { filterRows, isSortKey, type PartnerRow, type Sources, sortRows } from './partner-rows.ts'

const rowsOfPage = 50

interface PartnerTableProps {
  rows: readonly PartnerRow[]
  isLoading: boolean
  sources: Sources
  /** Whether all mail that waits was counted. */
  queuesComplete: boolean
}

export function PartnerTable({ rows, isLoading, sources, queuesComplete }: PartnerTableProps) {
  const [{ q = '', sort, order, page }, change] = useViewState()
  // Without an order, partners with warnings are first.
  const sortKey = isSortKey(sort) ? sort : 'warnings'
  const isDescending = isSortKey(sort) ? order === 'descending' : true
  const shown = useMemo(
    () => sortRows(filterRows(rows, q), sortKey, isDescending),
    [rows, q, sortKey, isDescending],
  )
  const columns = useMemo(() => partnerColumns({ sources, queuesComplete }), [sources, queuesComplete])
  const pages = Math.max(1, Math.ceil(shown.length / rowsOfPage))
  const current = Math.min(Math.max(1, Number(page) || 1), pages)
  return (
    <div className="dense">
      <Table
        items={shown.slice((current - 1) * rowsOfPage, current * rowsOfPage)}
        columnDefinitions={columns}
        trackBy={({ pair }) => pair.name + (pair.inbound?.id ?? '') + (pair.outbound?.id ?? '')}
        loading={isLoading}
        loadingText="Reading connectors"
        contentDensity="compact"
        wrapLines
        stickyColumns={{ first: 0 }}
        ariaLabels={{ tableLabel: 'Partners' }}
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
          <Header variant="h2" counter={`(${rows.length})`}>
            Pairs of connectors
          </Header>
        }
        filter={
          <TextFilter
            filteringText={q}
            filteringAriaLabel="Filter partners"
            filteringPlaceholder="Domain, connector, level, warning"
            countText={countText(shown.length, 'match', 'matches')}
            onChange={({ detail }) => change({ q: detail.filteringText, page: '' })}
          />
        }
        pagination={
          pages > 1 && (
            <Pagination
              currentPageIndex={current}
              pagesCount={pages}
              onChange={({ detail }) => change({ page: String(detail.currentPageIndex) })}
            />
          )
        }
        empty={
          rows.length > 0 ? (
            <SpaceBetween size="s" alignItems="center">
              <Box>No partner matches “{q}”.</Box>
              <Button onClick={() => change({ q: '', page: '' })}>Show all</Button>
            </SpaceBetween>
          ) : (
            <NoConnectors />
          )
        }
      />
    </div>
  )
}

function AddPartner() {
  const [, navigate] = useLocation()
  const mayAdminister = useMay('administer')
  return mayAdminister && <Button onClick={() => navigate('/partners/add')}>Add a partner</Button>
}

const exportCommand = 'Get-InboundConnector | ConvertTo-Json | Out-File inbound.json'

const importCommands = `npx mailflow connectors import-exchange inbound.json outbound.json domains.json --mode ReportOnly > connectors.yaml
npx mailflow connectors apply -f connectors.yaml`

/** Without connectors, mail passes as TLS happens to work. */
const NoConnectors = () => (
  <SpaceBetween size="s" alignItems="center">
    <Box variant="strong">There are no connectors yet, so TLS is forced with no partner.</Box>
    <AddPartner />
    <Box>Or import them from Exchange. ReportOnly records what they would do, and changes no mail:</Box>
    <Box variant="code" textAlign="left">
      <span className="text-of-others">{importCommands}</span>
    </Box>
    <Box color="text-body-secondary">
      PowerShell writes the files, such as <code>{exportCommand}</code>. The command’s <code>--help</code>{' '}
      lists all three.
    </Box>
  </SpaceBetween>
)
