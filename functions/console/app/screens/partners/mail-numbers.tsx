/** The mail of a partner by direction and TLS version. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import Table from '@cloudscape-design/components/table'
import { timeWidth } from '../../components/column-widths.ts'
import { Failure } from '../../components/failure.tsx'
import { numberColumn } from '../../components/number-column.tsx'
import { octetsText } from '../../components/octets-text.ts'
import { Time } from '../../components/time.tsx'
import { DaysControl } from './days-control.tsx'
import { type DirectionNumbers, directionNumbers, scopesOf } from './partner-numbers.ts'
import type { Pair } from './partner-pairs.ts'
import { SoFar } from './so-far.tsx'
import { TlsByDay } from './tls-chart.tsx'
import { useDays } from './use-days.ts'
import { useScopedReport } from './use-scoped-report.ts'

const numberOf = new Intl.NumberFormat(undefined)

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
              numberColumn<DirectionNumbers>('tls13', 'TLS 1.3', ({ tls13 }) => numberOf.format(tls13)),
              numberColumn<DirectionNumbers>('tls12', 'TLS 1.2', ({ tls12 }) => numberOf.format(tls12)),
              numberColumn<DirectionNumbers>('inClear', 'In the clear', ({ inClear }) =>
                inClear === 0 ? (
                  0
                ) : (
                  <StatusIndicator type="warning">{numberOf.format(inClear)}</StatusIndicator>
                ),
              ),
              numberColumn<DirectionNumbers>('unknown', 'By Amazon SES', ({ direction, unknown }) =>
                direction === 'Inbound' ? '–' : numberOf.format(unknown),
              ),
              numberColumn<DirectionNumbers>('refused', 'Refused, TLS not met', ({ refused }) =>
                numberOf.format(refused),
              ),
              numberColumn<DirectionNumbers>('postQuantum', 'Post-quantum', ({ direction, postQuantum }) =>
                direction === 'Inbound' ? '–' : numberOf.format(postQuantum),
              ),
              numberColumn<DirectionNumbers>('volume', 'Size', ({ volume }) => octetsText(volume)),
              {
                id: 'lastMail',
                header: 'Last mail',
                minWidth: timeWidth,
                cell: ({ lastMail }) => (lastMail === null ? `none in ${days} days` : <Time at={lastMail} />),
              },
            ]}
          />
          {rows !== null && <TlsByDay rows={rows} days={days} />}
          {soFar !== null && <SoFar at={soFar} />}
        </SpaceBetween>
      )}
    </Container>
  )
}
