/** The columns of the table of partners. */
import Box from '@cloudscape-design/components/box'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import type { TableProps } from '@cloudscape-design/components/table'
import type { ReactNode } from 'react'
import { countText, firstNames } from '../../../../../shared/policy/text-lists.ts'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { DaysLeft } from './days-left.tsx'
import { kindTexts } from './partner-pairs.ts'
import type { PartnerRow, SortKey, Sources } from './partner-rows.ts'
import { type Stage, stageTexts } from './stages.ts'

interface ColumnOptions {
  sources: Sources
  /** Whether all mail that waits was counted. */
  queuesComplete: boolean
}

type Column = TableProps.ColumnDefinition<PartnerRow>
type Cell = (row: PartnerRow) => ReactNode

/** Shows a number only if the answer it comes from is there: a missing answer is not 0. */
const numberCell =
  (sources: Sources) =>
  (source: keyof Sources, cell: Cell): Cell =>
  (row) => {
    if (sources[source] === 'Pending') return <StatusIndicator type="loading">reading</StatusIndicator>
    return sources[source] === 'Failed' ? <Box color="text-body-secondary">unknown</Box> : cell(row)
  }

export function partnerColumns({ sources, queuesComplete }: ColumnOptions): Column[] {
  const numbers = numberCell(sources)
  const refused = numbers('rejected', ({ refused: count }) => <Count count={count} type="info" />)
  const tlsNotMet = numbers('tls', ({ tlsNotMet: count }) =>
    count === 0 ? null : <Box fontSize="body-s">out: {countText(count, 'attempt')}, TLS not met</Box>,
  )
  const expiry = numbers('certificates', ({ daysLeft }) => <DaysLeft days={daysLeft} />)
  const column = (key: SortKey, header: string, width: number, cell: Column['cell']): Column => ({
    id: key,
    header,
    minWidth: width,
    sortingField: key,
    cell,
    isRowHeader: key === 'partner',
  })
  return [
    column('partner', 'Partner', 144, (row) => <PartnerName row={row} />),
    column('level', 'Level in, out', 178, (row) => <Levels row={row} />),
    column(
      'mail',
      'Mail, last day',
      150,
      numbers('tls', ({ mailIn, mailOut, lastIn, lastOut }) => (
        <>
          <Mail direction="in" count={mailIn} last={lastIn} />
          <Mail direction="out" count={mailOut} last={lastOut} />
        </>
      )),
    ),
    column(
      'tls13',
      'TLS 1.3',
      64,
      numbers('tls', ({ tls13 }) => (tls13 === null ? '–' : `${Math.floor(tls13 * 100)} %`)),
    ),
    column(
      'clear',
      'In the clear',
      64,
      numbers('tls', ({ inClear }) => <Count count={inClear} type="warning" />),
    ),
    column('refused', 'Refused', 74, (row) => (
      <>
        {refused(row)}
        {tlsNotMet(row)}
      </>
    )),
    column(
      'waiting',
      'Held, deferred',
      76,
      numbers('queues', (row) => <Deferred row={row} isComplete={queuesComplete} />),
    ),
    column('certificate', 'Certificate, validation', 116, (row) => (
      <>
        {expiry(row)}
        <LastValidation row={row} />
      </>
    )),
  ]
}

function Deferred({ row, isComplete }: { row: PartnerRow; isComplete: boolean }) {
  const prefix = isComplete ? '' : 'at least '
  if (row.waiting === 0 || row.waitingConnector === null) return `${prefix}${row.waiting}`
  return (
    <ViewLink to={`/queues?connector=${encodeURIComponent(row.waitingConnector)}`}>
      {prefix}
      {countText(row.waiting, 'recipient')}
    </ViewLink>
  )
}

interface MailProps {
  direction: 'in' | 'out'
  count: number
  /** Null: none in the period. */
  last: string | null
}

const Mail = ({ direction, count, last }: MailProps) => (
  <div className="unbroken">
    {direction}: {count.toLocaleString()}
    {last !== null && (
      <span className="secondary">
        {' '}
        <Time precision="Day" at={last} />
      </span>
    )}
  </div>
)

function LastValidation({ row: { validation, pair } }: { row: PartnerRow }) {
  if (pair.outbound === null) return null
  if (validation === null)
    return (
      <Box fontSize="body-s" color="text-body-secondary">
        not validated
      </Box>
    )
  return (
    <Box fontSize="body-s">
      <StatusIndicator type={validation.succeeded ? 'success' : 'error'}>
        {validation.succeeded ? 'validated' : 'failed'}
      </StatusIndicator>
      <div>
        <Time at={validation.at} />
      </div>
    </Box>
  )
}

function PartnerName({ row: { pair, title, warnings } }: { row: PartnerRow }) {
  const others = pair.domains.filter((domain) => domain !== title)
  const names = [...new Set([pair.inbound?.name, pair.outbound?.name])].filter(
    (name) => name !== undefined && name !== title,
  )
  return (
    <>
      <ViewLink to={`/partners/${encodeURIComponent(pair.name)}`}>{title}</ViewLink>
      {pair.kind !== 'Partner' && <Box fontSize="body-s">{kindTexts[pair.kind]}</Box>}
      {others.length > 0 && <Box fontSize="body-s">{firstNames(others, 2)}</Box>}
      {names.length > 0 && (
        <Box fontSize="body-s" color="text-body-secondary">
          {names.join(', ')}
        </Box>
      )}
      {warnings.length > 0 && (
        <StatusIndicator type="warning">
          {countText(warnings.length, 'warning')}
          <span className="spoken">: {warnings.map(({ short }) => short).join('; ')}</span>
        </StatusIndicator>
      )}
    </>
  )
}

const Levels = ({ row: { levelIn, stageIn, levelOut, stageOut } }: { row: PartnerRow }) => (
  <>
    <Level direction="in" level={levelIn} stage={stageIn} />
    <Level direction="out" level={levelOut} stage={stageOut} />
  </>
)

interface LevelProps {
  direction: 'in' | 'out'
  level: string | null
  stage: Stage | null
}

function Level({ direction, level, stage }: LevelProps) {
  if (level === null || stage === null)
    return <Box color="text-body-secondary">{direction}: no connector</Box>
  return (
    <div>
      {direction}: {level}
      {(stage === 'Disabled' || stage === 'ReportOnly') && (
        <div>
          <StatusIndicator type={stage === 'Disabled' ? 'stopped' : 'info'}>
            {stageTexts[direction === 'in' ? 'inbound' : 'outbound'][stage].label}
          </StatusIndicator>
        </div>
      )}
    </div>
  )
}

const Count = ({ count, type }: { count: number; type: 'warning' | 'info' }) =>
  count === 0 ? 0 : <StatusIndicator type={type}>{count}</StatusIndicator>
