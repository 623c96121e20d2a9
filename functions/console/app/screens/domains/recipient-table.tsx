/** The addresses of a list, with a search and pages that the address keeps. */
import Pagination from '@cloudscape-design/components/pagination'
import Table from '@cloudscape-design/components/table'
import { FilterInput } from '../../components/filter-input.tsx'
import { pageOf } from '../../components/paging.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { useViewState } from '../../use-view-state.ts'

interface RecipientTableProps {
  /** Those that were read: the beginning, or all. */
  addresses: readonly string[]
  /** Of the whole list. */
  count: number
  isReading: boolean
  rowsOfPage: number
  maySelect: boolean
  selected: readonly string[]
  onSelect(addresses: readonly string[]): void
}

export function RecipientTable(props: RecipientTableProps) {
  const { addresses, count, isReading, rowsOfPage, maySelect, selected, onSelect } = props
  const [{ recipient = '', recipients: page }, change] = useViewState()
  const wanted = recipient.toLowerCase()
  const found = wanted === '' ? addresses : addresses.filter((address) => address.includes(wanted))
  const shown = pageOf(found, page, rowsOfPage)
  // The pages of the whole list, also while only its beginning is read.
  const pages = wanted === '' ? Math.max(1, Math.ceil(count / rowsOfPage)) : shown.count
  const rows = shown.items.map((address) => ({ address }))
  return (
    <Table
      variant="embedded"
      contentDensity="compact"
      items={rows}
      trackBy="address"
      loading={isReading}
      loadingText="Reading the list"
      ariaLabels={{
        tableLabel: 'Recipients',
        selectionGroupLabel: 'Selection of addresses',
        allItemsSelectionLabel: () => 'Select all addresses of the page',
        itemSelectionLabel: (_, { address }) => `Select ${address}`,
      }}
      {...(maySelect && { selectionType: 'multi' as const })}
      selectedItems={selected.map((address) => ({ address }))}
      onSelectionChange={({ detail }) => onSelect(detail.selectedItems.map(({ address }) => address))}
      columnDefinitions={[
        {
          id: 'address',
          header: 'Address',
          isRowHeader: true,
          cell: ({ address }) => <TextOfOthers text={address} />,
        },
      ]}
      filter={
        count > 0 && (
          <FilterInput
            label="Search"
            placeholder="Part of an address"
            value={recipient}
            onChange={(text) => change({ recipient: text, recipients: '' })}
          />
        )
      }
      pagination={
        pages > 1 && (
          <Pagination
            currentPageIndex={Math.min(Math.max(1, Number(page) || 1), pages)}
            pagesCount={pages}
            onChange={({ detail }) => change({ recipients: String(detail.currentPageIndex) })}
          />
        )
      }
      empty={
        count === 0
          ? 'There is no list. With one, the gateway can refuse mail for addresses that do not exist.'
          : 'No address of the list has this part.'
      }
    />
  )
}
