/** The certificate that was accepted beside the one that is presented, with the differences in words. */
import Header from '@cloudscape-design/components/header'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import Table, { type TableProps } from '@cloudscape-design/components/table'
import { useMemo } from 'react'
import type { UnknownCertificate } from '../../api/types.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { type ComparedField, compareCertificates, differenceSentence } from './compare-certificates.ts'

export function Comparison({ certificate: { presented, accepted } }: { certificate: UnknownCertificate }) {
  const fields = useMemo(() => compareCertificates(presented, accepted), [presented, accepted])
  return (
    <Table
      items={fields}
      trackBy="label"
      columnDefinitions={columns}
      contentDensity="compact"
      cellVerticalAlign="top"
      wrapLines
      ariaLabels={{ tableLabel: 'Accepted and presented certificate' }}
      header={
        <Header
          variant="h2"
          description={
            <>
              {differenceSentence(fields)}
              {accepted !== null && (
                <>
                  {' '}
                  Accepted last on <Time at={accepted.lastSeen} />.
                </>
              )}
            </>
          }
        >
          Accepted until now, and presented now
        </Header>
      }
    />
  )
}

function Values({ values, isTime }: { values: readonly string[]; isTime: boolean }) {
  return values.map((value) => (
    <div key={value}>{isTime ? <Time at={value} /> : <TextOfOthers text={value || 'none'} />}</div>
  ))
}

const columns: TableProps.ColumnDefinition<ComparedField>[] = [
  { id: 'field', header: 'Field', isRowHeader: true, width: 185, cell: ({ label }) => label },
  {
    id: 'accepted',
    header: 'Accepted until now',
    minWidth: 200,
    cell: ({ accepted, isTime = false }) =>
      accepted === null ? 'none on record' : <Values values={accepted} isTime={isTime} />,
  },
  {
    id: 'presented',
    header: 'Presented now',
    minWidth: 200,
    cell: ({ presented, isTime = false }) => <Values values={presented} isTime={isTime} />,
  },
  {
    id: 'difference',
    header: 'Difference',
    width: 190,
    cell: ({ difference, isSame }) =>
      difference === '' ? (
        'nothing to compare'
      ) : (
        <StatusIndicator type={isSame ? 'success' : 'warning'}>{difference}</StatusIndicator>
      ),
  },
]
