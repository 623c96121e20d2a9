/** The changes, each with its fields before and after. */
import Box from '@cloudscape-design/components/box'
import Header from '@cloudscape-design/components/header'
import Table, { type TableProps } from '@cloudscape-design/components/table'
import type { ChangeEntry } from '../../api/types.ts'
import { timeWidth } from '../../components/column-widths.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { FieldsOfChange } from './fields-of-change.tsx'

const kinds: Readonly<Record<ChangeEntry['kind'], string>> = {
  'inbound-connector': 'Inbound connector',
  'outbound-connector': 'Outbound connector',
  'accepted-domain': 'Accepted domain',
}

interface ChangeTableProps {
  changes: readonly ChangeEntry[]
  /** Whether there are earlier ones. */
  hasMore: boolean
}

export function ChangeTable({ changes, hasMore }: ChangeTableProps) {
  return (
    <Table
      items={changes}
      trackBy={({ version }) => String(version)}
      columnDefinitions={columns}
      contentDensity="compact"
      cellVerticalAlign="top"
      wrapLines
      ariaLabels={{ tableLabel: 'Changes' }}
      header={
        <Header variant="h2" counter={`(${changes.length}${hasMore ? '+' : ''})`}>
          Log
        </Header>
      }
      empty={
        <Box>
          <div>No change matches the filters.</div>
          <div>Clear them to see all changes since the connectors were first created.</div>
        </Box>
      }
    />
  )
}

const columns: readonly TableProps.ColumnDefinition<ChangeEntry>[] = [
  {
    id: 'at',
    header: 'Time',
    minWidth: timeWidth,
    cell: ({ at, version }) => (
      <>
        <Time at={at} />
        <div className="secondary">Version {version}</div>
      </>
    ),
  },
  {
    id: 'name',
    header: 'Connector or domain',
    isRowHeader: true,
    minWidth: 150,
    cell: ({ name, kind }) => (
      <>
        <TextOfOthers text={name} />
        <div className="secondary">{kinds[kind]}</div>
      </>
    ),
  },
  { id: 'action', header: 'Action', minWidth: 90, cell: ({ action }) => action },
  { id: 'actor', header: 'By', minWidth: 170, cell: ({ actor }) => <TextOfOthers text={actor} /> },
  {
    id: 'fields',
    header: 'Before and after',
    minWidth: 280,
    cell: (change) => <FieldsOfChange change={change} />,
  },
]
