/** A report: its filters, a chart of its main numbers by day, and its table. */
import Alert from '@cloudscape-design/components/alert'
import Button from '@cloudscape-design/components/button'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useParams } from 'wouter'
import type { Report } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { Breadcrumbs } from '../../components/breadcrumbs.tsx'
import { downloadText } from '../../components/download.ts'
import { NotFound } from '../../components/not-found.tsx'
import { Remote } from '../../components/remote.tsx'
import { Time } from '../../components/time.tsx'
import { useViewState } from '../../use-view-state.ts'
import { ReportChart } from './report-chart.tsx'
import { isReportName, type ReportName, reportFacts } from './report-facts.ts'
import { ReportFilters } from './report-filters.tsx'
import { reportQuery } from './report-query.ts'
import { reportCsv, withSelectedRows } from './report-rows.ts'
import { ReportTable } from './report-table.tsx'

export default function ReportView() {
  const { name = '' } = useParams()
  return isReportName(name) ? <NamedReport key={name} name={name} /> : <NotFound />
}

function NamedReport({ name }: { name: ReportName }) {
  const [state] = useViewState()
  const result = useRead<Report>(`/reports/${name}`, reportQuery(name, state, Date.now()))
  const report = result.data && withSelectedRows(result.data, state)
  return (
    <ContentLayout
      breadcrumbs={
        <Breadcrumbs above={[{ text: 'Reports', path: '/reports' }]} title={report?.title ?? name} />
      }
      header={
        <Header
          variant="h1"
          description={reportFacts[name].question}
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button iconName="refresh" ariaLabel="Read again" onClick={() => void result.refetch()} />
              <Button
                iconName="download"
                disabled={report === undefined || report.rows.length === 0}
                onClick={() => report && download(report)}
              >
                Download CSV
              </Button>
            </SpaceBetween>
          }
        >
          {report?.title ?? 'Report'}
        </Header>
      }
    >
      <SpaceBetween size="m">
        <ReportFilters name={name} />
        <Remote what="the report" result={result}>
          {(answer) => {
            const found = withSelectedRows(answer, state)
            return (
              <SpaceBetween size="m">
                <SoFar report={found} />
                <ReportChart report={found} />
                <ReportTable report={found} />
              </SpaceBetween>
            )
          }}
        </Remote>
      </SpaceBetween>
    </ContentLayout>
  )
}

const download = (report: Report) =>
  downloadText(`${report.name}-${report.from.slice(0, 10)}.csv`, 'text/csv', reportCsv(report))

function SoFar({ report: { name, soFar } }: { report: Report }) {
  if (soFar === null) return null
  return reportFacts[name].hasPeriod ? (
    <Alert type="info">
      Numbers from <Time at={soFar} /> on may still grow: their events are not all counted yet.
    </Alert>
  ) : (
    <Alert type="info">
      As of <Time at={soFar} />. This report is about the present, so it has no period.
    </Alert>
  )
}
