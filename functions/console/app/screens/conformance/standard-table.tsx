/** The criteria of one standard. */
import Box from '@cloudscape-design/components/box'
import Header from '@cloudscape-design/components/header'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import Table, { type TableProps } from '@cloudscape-design/components/table'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import {
  outcomeTexts,
  type StandardGroup,
  type StandardRow,
  sourceTexts,
  subjectText,
} from './conformance-texts.ts'

const columns: TableProps.ColumnDefinition<StandardRow>[] = [
  {
    id: 'requirement',
    header: 'Requirement',
    isRowHeader: true,
    minWidth: 240,
    cell: (row) => (
      <>
        {row.requirement}
        <Box variant="small" color="text-body-secondary" display="block">
          <TextOfOthers text={`${subjectText(row)}, ${row.id}`} />
        </Box>
      </>
    ),
  },
  { id: 'clauses', header: 'Clause and level', minWidth: 130, cell: ({ clauses }) => clauses },
  {
    id: 'outcome',
    header: 'Verdict',
    minWidth: 140,
    cell: ({ outcome }) => (
      <StatusIndicator type={outcomeTexts[outcome].indication} wrapText>
        {outcomeTexts[outcome].label}
      </StatusIndicator>
    ),
  },
  {
    id: 'seen',
    header: 'Found',
    minWidth: 190,
    cell: ({ seen, source }) => (
      <>
        <TextOfOthers text={seen} />
        {source !== 'None' && (
          <Box variant="small" color="text-body-secondary" display="block">
            {sourceTexts[source]}
          </Box>
        )}
      </>
    ),
  },
  {
    id: 'advice',
    header: 'What to do, or why not',
    minWidth: 180,
    cell: ({ advice }) => (advice === null ? '–' : <TextOfOthers text={advice} />),
  },
]

export const StandardTable = ({ group }: { group: StandardGroup }) => (
  <Table
    items={group.rows}
    columnDefinitions={columns}
    trackBy="key"
    contentDensity="compact"
    cellVerticalAlign="top"
    wrapLines
    ariaLabels={{ tableLabel: group.names.join(', ') }}
    header={
      <Header variant="h3" counter={`(${group.rows.length})`} description={group.title}>
        {group.names.join(', ')}
      </Header>
    }
  />
)
