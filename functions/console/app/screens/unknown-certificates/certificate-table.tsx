/** Unknown certificates at one connector. */
import Button from '@cloudscape-design/components/button'
import Header from '@cloudscape-design/components/header'
import Table, { type TableProps } from '@cloudscape-design/components/table'
import { factsSummary } from '../../../../../shared/tls/certificate-facts-text.ts'
import type { UnknownCertificate } from '../../api/types.ts'
import { numberColumn } from '../../components/number-column.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import type { CertificateGroup } from './group-certificates.ts'
import { StateOfCertificate } from './state-of-certificate.tsx'
import { effectWords, shortText } from './unknown-text.ts'

interface CertificateTableProps {
  group: CertificateGroup
  shown: readonly UnknownCertificate[]
  /** Whether certificates of several states are listed. */
  hasStates: boolean
  /** Null: all are shown, or in pages. */
  onShowAll: (() => void) | null
}

export function CertificateTable({
  group: { connector, certificates },
  shown,
  hasStates,
  onShowAll,
}: CertificateTableProps) {
  const count = certificates.length.toLocaleString()
  return (
    <Table
      items={shown}
      trackBy="id"
      columnDefinitions={hasStates ? columnsWithState : columns}
      contentDensity="compact"
      cellVerticalAlign="top"
      wrapLines
      ariaLabels={{ tableLabel: `Certificates at ${connector.name}` }}
      header={
        <Header
          variant="h3"
          counter={`(${count})`}
          description={<TextOfOthers text={shortText(connector.senderDomains.join(', '))} />}
          actions={
            onShowAll && (
              <Button onClick={onShowAll} ariaLabel={`Show all ${count} at ${connector.name}`}>
                Show all {count}
              </Button>
            )
          }
        >
          {connector.version === null ? (
            <TextOfOthers text={`${connector.name} (deleted)`} />
          ) : (
            <ViewLink to={`/partners/${connector.id}`}>
              <TextOfOthers text={connector.name} />
            </ViewLink>
          )}
        </Header>
      }
    />
  )
}

const noticesText = ({ effects }: UnknownCertificate): string => {
  const count = effects.reduce((sum, { notices }) => sum + (notices?.count ?? 0), 0)
  return count === 0 ? 'none' : String(count)
}

const columnsOf = (hasStates: boolean): TableProps.ColumnDefinition<UnknownCertificate>[] => [
  {
    id: 'subject',
    header: 'Certificate',
    isRowHeader: true,
    minWidth: 220,
    cell: ({ id, presented }) => (
      <ViewLink to={`/unknown-certificates/${id}`}>
        <TextOfOthers text={shortText(presented.subject) || 'No subject'} />
      </ViewLink>
    ),
  },
  ...(hasStates
    ? [
        {
          id: 'state',
          header: 'State',
          minWidth: 120,
          cell: ({ state }: UnknownCertificate) => <StateOfCertificate state={state} />,
        },
      ]
    : []),
  { id: 'facts', header: 'What is known of it', minWidth: 220, cell: ({ facts }) => factsSummary(facts) },
  {
    id: 'mail',
    header: 'Mail',
    minWidth: 110,
    cell: ({ effects }) => effects.map(({ effect }) => effectWords[effect]).join(', '),
  },
  {
    id: 'seen',
    header: 'Last seen',
    minWidth: 190,
    cell: ({ firstSeen, lastSeen }) => (
      <>
        <div className="unbroken">
          <Time at={lastSeen} />
        </div>
        {firstSeen !== lastSeen && (
          <small className="unbroken">
            first <Time at={firstSeen} />
          </small>
        )}
      </>
    ),
  },
  numberColumn('notices', 'Notices', noticesText),
]

const columns = columnsOf(false)
const columnsWithState = columnsOf(true)
