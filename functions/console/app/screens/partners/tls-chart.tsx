/** The mail of a partner by TLS version over the days, as charts with a table of the same numbers. */
import BarChart from '@cloudscape-design/components/bar-chart'
import Box from '@cloudscape-design/components/box'
import ColumnLayout from '@cloudscape-design/components/column-layout'
import ExpandableSection from '@cloudscape-design/components/expandable-section'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Table from '@cloudscape-design/components/table'
import { useMemo } from 'react'
import { hourMs } from '../../../../../shared/contract/durations.ts'
import type { Report } from '../../api/types.ts'
import { numberColumn } from '../../components/number-column.tsx'
import { tlsColors } from '../../components/tls-colors.ts'
import { useAtTime } from '../../components/use-at-time.ts'
import { maxMessagesOfDay, type TlsDay, tlsByDay, tlsColumns, usedColumns } from './tls-by-day.ts'

const directions = { Inbound: 'Received', Outbound: 'Sent' } as const
type Direction = keyof typeof directions

const count = new Intl.NumberFormat(undefined)
/** Half a message is no message. */
const wholeNumber = (value: number): string => (Number.isInteger(value) ? count.format(value) : '')

interface TlsByDayProps {
  rows: Report['rows']
  /** The period, up to today. */
  days: number
}

export function TlsByDay({ rows, days }: TlsByDayProps) {
  const now = useAtTime((time) => Math.floor(time / hourMs) * hourMs)
  const byDirection = useMemo(
    () => ({
      Inbound: tlsByDay(rows, 'Inbound', { now, days }),
      Outbound: tlsByDay(rows, 'Outbound', { now, days }),
    }),
    [rows, now, days],
  )
  return (
    <SpaceBetween size="s">
      <ColumnLayout columns={2}>
        <DirectionChart direction="Inbound" days={byDirection.Inbound} />
        <DirectionChart direction="Outbound" days={byDirection.Outbound} />
      </ColumnLayout>
      <ExpandableSection headerText="Numbers by day">
        <ColumnLayout columns={2}>
          <DayTable direction="Inbound" days={byDirection.Inbound} />
          <DayTable direction="Outbound" days={byDirection.Outbound} />
        </ColumnLayout>
      </ExpandableSection>
    </SpaceBetween>
  )
}

interface DirectionProps {
  direction: Direction
  days: readonly TlsDay[]
}

function DirectionChart({ direction, days }: DirectionProps) {
  const title = `${directions[direction]} by day`
  const columns = usedColumns(days)
  return (
    <div>
      <Box variant="h3">{title}</Box>
      {columns.length === 0 ? (
        <Box color="text-body-secondary">No mail in this period.</Box>
      ) : (
        <BarChart
          series={columns.map((column) => ({
            type: 'bar',
            title: tlsColumns[column],
            color: tlsColors[column],
            data: days.map((day) => ({ x: day.date, y: day[column] })),
          }))}
          xDomain={days.map(({ date }) => date)}
          yDomain={[0, maxMessagesOfDay(days)]}
          stackedBars
          xScaleType="categorical"
          hideFilter
          height={140}
          yTickFormatter={wholeNumber}
          xTickFormatter={dayText}
          yTitle="Messages"
          ariaLabel={`${title}, by TLS version`}
        />
      )}
    </div>
  )
}

/** `12-01`: the year is that of the period. */
const dayText = (date: string): string => date.slice(5)

function DayTable({ direction, days }: DirectionProps) {
  const columns = usedColumns(days)
  return (
    <Table
      variant="embedded"
      contentDensity="compact"
      ariaLabels={{ tableLabel: `${directions[direction]} by day, in numbers` }}
      items={days.filter((day) => maxMessagesOfDay([day]) > 0).toReversed()}
      trackBy="date"
      empty="No mail in this period."
      columnDefinitions={[
        {
          id: 'date',
          header: `${directions[direction]} on`,
          isRowHeader: true,
          cell: ({ date }) => <span className="unbroken">{date}</span>,
        },
        ...columns.map((column) =>
          numberColumn(column, tlsColumns[column], (day: TlsDay) => count.format(day[column])),
        ),
      ]}
    />
  )
}
