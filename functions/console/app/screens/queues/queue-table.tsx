/** The groups of mail that waits, and the acts on those that are selected. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Header from '@cloudscape-design/components/header'
import Pagination from '@cloudscape-design/components/pagination'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Table from '@cloudscape-design/components/table'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { ConnectorName } from '../../api/use-connector-names.ts'
import { useMay } from '../../api/use-roles.ts'
import { pageOf } from '../../components/paging.ts'
import { useViewState } from '../../use-view-state.ts'
import { actTexts, groupsForAct, type Queue, type QueueAct, queueKey } from './acts.ts'
import { queueColumns } from './queue-columns.tsx'

const pageSize = 50

interface QueueTableProps {
  groups: readonly Queue[]
  selected: readonly Queue[]
  connectors: readonly ConnectorName[]
  isFiltered: boolean
  onSelect(groups: readonly Queue[]): void
  onAct(act: QueueAct): void
  onRefresh(): void
}

export function QueueTable(props: QueueTableProps) {
  const { groups, selected, connectors, isFiltered, onSelect, onAct, onRefresh } = props
  const [{ page }, change] = useViewState()
  const shown = pageOf(groups, page, pageSize)
  const mayOperate = useMay('operate')
  return (
    <Table
      items={shown.items}
      trackBy={queueKey}
      columnDefinitions={queueColumns(connectors)}
      contentDensity="compact"
      cellVerticalAlign="top"
      wrapLines
      {...(mayOperate && { selectionType: 'multi' as const })}
      selectedItems={selected}
      onSelectionChange={({ detail }) => onSelect(detail.selectedItems)}
      ariaLabels={{
        tableLabel: 'Groups of mail that waits',
        selectionGroupLabel: 'Selection of groups',
        allItemsSelectionLabel: () => 'Select all groups',
        itemSelectionLabel: (_, { partner, reason }) => `Select ${partner ?? 'no partner'}, ${reason}`,
      }}
      header={
        <Header
          variant="h2"
          counter={selected.length > 0 ? `(${selected.length}/${groups.length})` : `(${groups.length})`}
          description={totalText(groups)}
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button iconName="refresh" ariaLabel="Read again" onClick={onRefresh} />
              {mayOperate && <Acts selected={selected} onAct={onAct} />}
            </SpaceBetween>
          }
        >
          Groups
        </Header>
      }
      empty={<Empty isFiltered={isFiltered} />}
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
  )
}

const totalText = (groups: readonly Queue[]): string => {
  const recipients = groups.reduce((sum, group) => sum + group.recipients, 0)
  return recipients === 0 ? '' : `Mail of ${countText(recipients, 'recipient')}; what expires first is first`
}

function Acts({ selected, onAct }: Pick<QueueTableProps, 'selected' | 'onAct'>) {
  const mayDrop = useMay('administer')
  const acts: readonly QueueAct[] = mayDrop
    ? ['retry', 'release', 'return', 'drop']
    : ['retry', 'release', 'return']
  return (
    <SpaceBetween direction="horizontal" size="xs">
      {acts.map((act) => (
        <Button
          key={act}
          disabled={groupsForAct(act, selected).length === 0}
          {...(act === 'release' &&
            selected.length > 0 && {
              disabledReason: 'No inbound connector holds the selected mail, so there is nothing to release.',
            })}
          onClick={() => onAct(act)}
        >
          {actTexts[act].title}
        </Button>
      ))}
    </SpaceBetween>
  )
}

function Empty({ isFiltered }: { isFiltered: boolean }) {
  const [, change] = useViewState()
  return isFiltered ? (
    <SpaceBetween size="xs">
      <div>No mail that matches the filters waits.</div>
      <Button
        onClick={() => change({ partner: '', direction: '', reason: '', connector: '', kind: '', page: '' })}
      >
        Clear the filters
      </Button>
    </SpaceBetween>
  ) : (
    <Box>
      <div>No mail waits.</div>
      <div>Mail appears here when a connector holds it, or when an attempt failed and another follows.</div>
    </Box>
  )
}
