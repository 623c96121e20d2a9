/** The mail of a partner by direction and TLS version. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import Table from '@cloudscape-design/components/table'
import { Failure } from '../../components/failure.tsx'
import { Time } from '../../components/time.tsx'
import { DaysControl } from './days-control.tsx'
import { directionNumbers, scopesOf } from './partner-numbers.ts'
import type { Pair } from './partner-pairs.ts'
import { TlsByDay } from './tls-chart.tsx'
import { useDays } from './use-days.ts'
import { useScopedReport } from './use-scoped-report.ts'

const numberOf = new Intl.NumberFormat(undefined)
const sizeOf = new Intl.NumberFormat(undefined, { style: 'unit', unit: 'kilobyte', maximumFractionDigits: 0 })

export function MailNumbers({ pair }: { pair: Pair }) {
  const { days } = useDays()
  const { rows, soFar, error, refetch } = useScopedReport('connector-tls', pair, days)
  const scope = scopesOf(pair)[0]
  return (
    <Container
      header={
        <Header
          variant="h2"
          description={
            scope?.partner === undefined
              ? 'Mail to which these connectors applied.'
              : `All mail from and to ${scope.partner}.`
          }
          actions={<DaysControl />}
        >
          Mail by TLS version
        </Header>
      }
    >
      {error ? (
        <Failure title="Cannot read the numbers" error={error} retry={refetch} />
      ) : (
        <SpaceBetween size="xs">
          <Table
            variant="embedded"
            contentDensity="compact"
            wrapLines
            ariaLabels={{ tableLabel: 'Mail by TLS version' }}
            loading={rows === null}
            loadingText="Reading the numbers"
            items={rows === null ? [] : directionNumbers(rows)}
            trackBy="direction"
            columnDefinitions={[
              { id: 'direction', header: 'Direction', cell: ({ direction }) => direction, isRowHeader: true },
              { id: 'tls13', header: 'TLS 1.3', cell: ({ tls13 }) => numberOf.format(tls13) },
              { id: 'tls12', header: 'TLS 1.2', cell: ({ tls12 }) => numberOf.format(tls12) },
              {
                id: 'inClear',
                header: 'In the clear',
                cell: ({ inClear }) =>
                  inClear === 0 ? (
                    0
                  ) : (
                    <StatusIndicator type="warning">{numberOf.format(inClear)}</StatusIndicator>
                  ),
              },
              {
                id: 'unknown',
                header: 'By Amazon SES',
                cell: ({ direction, unknown }) => (direction === 'Inbound' ? '–' : numberOf.format(unknown)),
              },
              {
                id: 'refused',
                header: 'Refused, TLS not met',
                cell: ({ refused }) => numberOf.format(refused),
              },
              {
                id: 'postQuantum',
                header: 'Post-quantum',
                cell: ({ direction, postQuantum }) =>
                  direction === 'Inbound' ? '–' : numberOf.format(postQuantum),
              },
              {
                id: 'lastMail',
                header: 'Last mail',
                minWidth: 110,
                cell: ({ lastMail }) => (lastMail === null ? `none in ${days} days` : <Time at={lastMail} />),
              },
              {
                id: 'volume',
                header: 'Size',
                minWidth: 80,
                cell: ({ volume }) => sizeOf.format(Math.ceil(volume / 1000)),
              },
            ]}
          />
          {rows !== null && <TlsByDay rows={rows} days={days} />}
          {soFar !== null && (
            <small>
              Mail since <Time at={soFar} /> may not be counted yet.
            </small>
          )}
        </SpaceBetween>
      )}
    </Container>
  )
}
