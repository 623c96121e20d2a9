/** What was refused of a partner, by reason. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import Table from '@cloudscape-design/components/table'
import { Failure } from '../../components/failure.tsx'
import { numberColumn } from '../../components/number-column.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { type Refusals, reasonText, refusalsByReason, refusedMailPath, scopesOf } from './partner-numbers.ts'
import type { Pair } from './partner-pairs.ts'
import { useDays } from './use-days.ts'
import { useScopedReport } from './use-scoped-report.ts'

export function RefusalTable({ pair }: { pair: Pair }) {
  const { days } = useDays()
  const { rows, error, refetch } = useScopedReport('rejected', pair, days)
  const scope = scopesOf(pair)[0] ?? {}
  return (
    <Container
      header={
        <Header variant="h2" description={`Of the last ${days} days, in the session.`}>
          Refused
        </Header>
      }
    >
      {error ? (
        <Failure title="Cannot read the refusals" error={error} retry={refetch} />
      ) : (
        <Table
          variant="embedded"
          contentDensity="compact"
          wrapLines
          ariaLabels={{ tableLabel: 'Refusals by reason' }}
          loading={rows === null}
          loadingText="Reading the refusals"
          items={rows === null ? [] : refusalsByReason(rows)}
          trackBy="reason"
          empty="Nothing was refused."
          columnDefinitions={[
            {
              id: 'reason',
              header: 'Reason',
              isRowHeader: true,
              cell: ({ reason }) => (
                <>
                  <div>{reason}</div>
                  {reasonText(reason) && <small>{reasonText(reason)}</small>}
                </>
              ),
            },
            numberColumn<Refusals>('count', 'Refusals', ({ count }) => count.toLocaleString()),
            { id: 'replies', header: 'Replies', cell: ({ replies }) => replies.join(', ') },
            {
              id: 'samples',
              header: 'Mail',
              cell: ({ day }) => <ViewLink to={refusedMailPath(scope, day)}>Refused on {day}</ViewLink>,
            },
          ]}
        />
      )}
    </Container>
  )
}
