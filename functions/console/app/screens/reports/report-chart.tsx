/** The main numbers of a report by day. The table below has the same numbers as text. */
import BarChart from '@cloudscape-design/components/bar-chart'
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import { useMemo } from 'react'
import type { Report } from '../../api/types.ts'
import { tlsColorOf } from '../../components/tls-colors.ts'
import { chartSeries } from './report-rows.ts'

/** Half a message is no message. */
const wholeNumber = (value: number): string => (Number.isInteger(value) ? value.toLocaleString() : '')

const withColor = (column: string): { color?: string } => {
  const color = tlsColorOf(column)
  return color === undefined ? {} : { color }
}

export function ReportChart({ report }: { report: Report }) {
  const chart = useMemo(() => chartSeries(report), [report])
  if (chart === null) return null
  const { days, series } = chart
  const sums = days.map((_, index) => series.reduce((sum, { data }) => sum + (data[index]?.y ?? 0), 0))
  return (
    <Container header={<Header variant="h2">By day</Header>}>
      <BarChart
        series={series.map(({ column, title, data }) => ({
          ...{ type: 'bar', title, data },
          ...withColor(column),
        }))}
        xDomain={days}
        yDomain={[0, Math.max(...sums)]}
        stackedBars
        xScaleType="categorical"
        hideFilter
        height={180}
        yTickFormatter={wholeNumber}
        yTitle="Count"
        ariaLabel={`${report.title} by day`}
        empty="Nothing is counted."
      />
    </Container>
  )
}
