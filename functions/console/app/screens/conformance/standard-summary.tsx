/** How many criteria of each standard are met. */
import Box from '@cloudscape-design/components/box'
import Header from '@cloudscape-design/components/header'
import Link from '@cloudscape-design/components/link'
import Table, { type TableProps } from '@cloudscape-design/components/table'
import { type Outcome, outcomes, outcomeTexts, type StandardGroup } from './conformance-texts.ts'

const numberColumn = (outcome: Outcome): TableProps.ColumnDefinition<StandardGroup> => ({
  id: outcome,
  header: <span className="number-heading">{outcomeTexts[outcome].label}</span>,
  minWidth: 90,
  cell: ({ counts }) => <span className="number">{counts[outcome]}</span>,
})

const columns: TableProps.ColumnDefinition<StandardGroup>[] = [
  {
    id: 'standard',
    header: 'Standard',
    isRowHeader: true,
    minWidth: 190,
    cell: ({ names, title, url }) => (
      <>
        <Box variant="strong">{names.join(', ')}</Box>
        <Box variant="small" display="block">
          <Link href={url} external fontSize="body-s">
            {title}
          </Link>
        </Box>
      </>
    ),
  },
  ...outcomes.map(numberColumn),
]

export const StandardSummary = ({ groups }: { groups: readonly StandardGroup[] }) => (
  <Table
    items={groups}
    columnDefinitions={columns}
    trackBy="title"
    contentDensity="compact"
    wrapLines
    ariaLabels={{ tableLabel: 'Criteria by standard' }}
    header={
      <Header
        variant="h3"
        description="A criterion of several standards counts in each. What depends on others is decided by the network or another organisation."
      >
        Summary
      </Header>
    }
  />
)
