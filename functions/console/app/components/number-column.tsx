/** A column of numbers, whose digits stand below each other. */
import type { TableProps } from '@cloudscape-design/components/table'
import type { ReactNode } from 'react'

export const numberColumn = <Row,>(
  id: string,
  header: string,
  cell: (row: Row) => ReactNode,
): TableProps.ColumnDefinition<Row> => ({
  id,
  header: <span className="number-heading">{header}</span>,
  cell: (row) => <span className="number">{cell(row)}</span>,
})
