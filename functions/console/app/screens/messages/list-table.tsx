/** A page of a list, with its filter, its buttons, and what it shows while there are no rows. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Table, { type TableProps } from '@cloudscape-design/components/table'
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import type { ApiError } from '../../api/api-error.ts'
import { StaleAnswer } from '../../components/stale-answer.tsx'
import { QueryFailure } from './query-failure.tsx'
import type { CursorPages } from './use-cursor-pages.ts'

interface ListTableProps<Row> {
  title: string
  description?: ReactNode
  actions: ReactNode
  filter: ReactNode
  columns: TableProps.ColumnDefinition<Row>[]
  trackBy: keyof Row & string
  result: UseQueryResult<unknown, ApiError>
  /** Undefined until they are read. */
  rows: readonly Row[] | undefined
  nextCursor: string | null | undefined
  pages: CursorPages
  empty: ReactNode
}

export function ListTable<Row>({
  title,
  description,
  actions,
  filter,
  columns,
  trackBy,
  result,
  rows,
  nextCursor,
  pages,
  empty,
}: ListTableProps<Row>) {
  return (
    <SpaceBetween size="s">
      <StaleAnswer result={result} />
      <Table
        header={
          <Header variant="h2" description={description} actions={actions}>
            {title}
          </Header>
        }
        filter={filter}
        pagination={
          <SpaceBetween direction="horizontal" size="xs">
            <Button
              iconName="angle-left"
              disabled={pages.previous === null}
              onClick={() => pages.previous?.()}
            >
              Newer
            </Button>
            <Button
              iconName="angle-right"
              iconAlign="right"
              disabled={!nextCursor}
              onClick={() => nextCursor && pages.next(nextCursor)}
            >
              Older
            </Button>
          </SpaceBetween>
        }
        columnDefinitions={columns}
        items={rows ?? []}
        trackBy={trackBy}
        loading={rows === undefined && result.error === null}
        loadingText="Reading"
        contentDensity="compact"
        wrapLines
        ariaLabels={{ tableLabel: title }}
        empty={
          result.error === null ? (
            <Box textAlign="center" padding="s">
              {empty}
            </Box>
          ) : (
            <QueryFailure error={result.error} retry={() => result.refetch()} />
          )
        }
      />
    </SpaceBetween>
  )
}
