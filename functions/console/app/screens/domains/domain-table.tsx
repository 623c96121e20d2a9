/** The table of accepted domains, with a filter and pages that the address keeps. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Header from '@cloudscape-design/components/header'
import Pagination from '@cloudscape-design/components/pagination'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Table, { type TableProps } from '@cloudscape-design/components/table'
import TextFilter from '@cloudscape-design/components/text-filter'
import { useMemo } from 'react'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { AcceptedDomain } from '../../api/types.ts'
import { useMay } from '../../api/use-roles.ts'
import { timeWidth } from '../../components/column-widths.ts'
import { pageOf } from '../../components/paging.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { useViewState } from '../../use-view-state.ts'
import { DnsSummary } from './dns-summary.tsx'
import { filterDomains, modeText } from './domain-texts.ts'
import { useResetChecks } from './use-dns.ts'

const rowsOfPage = 25

const columns: TableProps.ColumnDefinition<AcceptedDomain>[] = [
  {
    id: 'domain',
    header: 'Domain',
    isRowHeader: true,
    minWidth: 150,
    cell: ({ domain }) => (
      <ViewLink to={`/domains/${encodeURIComponent(domain)}`}>
        <TextOfOthers text={domain} />
      </ViewLink>
    ),
  },
  { id: 'dns', header: 'DNS', minWidth: 300, cell: ({ domain }) => <DnsSummary domain={domain} /> },
  { id: 'recipients', header: 'Recipients', minWidth: 140, cell: modeText },
  {
    id: 'comment',
    header: 'Comment',
    minWidth: 160,
    cell: ({ comment }) => (comment === '' ? '–' : <TextOfOthers text={comment} />),
  },
  { id: 'updated', header: 'Changed', minWidth: timeWidth, cell: ({ updatedAt }) => <Time at={updatedAt} /> },
]

interface DomainTableProps {
  domains: readonly AcceptedDomain[]
  onAdd(): void
  onRefresh(): void
}

export function DomainTable({ domains, onAdd, onRefresh }: DomainTableProps) {
  const [{ q = '', page }, change] = useViewState()
  const mayAdminister = useMay('administer')
  const resetChecks = useResetChecks()
  const found = useMemo(() => filterDomains(domains, q), [domains, q])
  const shown = pageOf(found, page, rowsOfPage)
  const add = mayAdminister && (
    <Button variant={domains.length === 0 ? 'normal' : 'primary'} onClick={onAdd}>
      Add a domain
    </Button>
  )
  return (
    <Table
      items={shown.items}
      columnDefinitions={columns}
      trackBy="domain"
      contentDensity="compact"
      cellVerticalAlign="top"
      wrapLines
      ariaLabels={{ tableLabel: 'Accepted domains' }}
      header={
        <Header
          variant="h2"
          counter={`(${domains.length})`}
          actions={
            domains.length > 0 && (
              <SpaceBetween direction="horizontal" size="xs">
                <Button iconName="refresh" ariaLabel="Read again" onClick={onRefresh} />
                <Button onClick={resetChecks}>Check DNS again</Button>
                {add}
              </SpaceBetween>
            )
          }
        >
          Accepted domains
        </Header>
      }
      filter={
        domains.length > 0 && (
          <TextFilter
            filteringText={q}
            filteringAriaLabel="Filter domains"
            filteringPlaceholder="Domain, recipients, comment"
            countText={countText(found.length, 'match', 'matches')}
            onChange={({ detail }) => change({ q: detail.filteringText, page: '' })}
          />
        )
      }
      pagination={
        shown.count > 1 && (
          <Pagination
            currentPageIndex={shown.number}
            pagesCount={shown.count}
            onChange={({ detail }) => change({ page: String(detail.currentPageIndex) })}
          />
        )
      }
      empty={
        domains.length > 0 ? (
          <SpaceBetween size="s" alignItems="center">
            <Box>No domain matches “{q}”.</Box>
            <Button onClick={() => change({ q: '', page: '' })}>Show all</Button>
          </SpaceBetween>
        ) : (
          <SpaceBetween size="s" alignItems="center">
            <Box variant="strong">
              There is no accepted domain yet, so the gateway refuses all mail from outside.
            </Box>
            <Box>
              An accepted domain is a domain whose mail the organisation receives. Exchange uses the same
              word: Get-AcceptedDomain lists them.
            </Box>
            {add}
          </SpaceBetween>
        )
      }
    />
  )
}
