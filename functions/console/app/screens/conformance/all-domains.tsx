/** The comparison of all domains, one after another. */
import Button from '@cloudscape-design/components/button'
import Header from '@cloudscape-design/components/header'
import ProgressBar from '@cloudscape-design/components/progress-bar'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Table, { type TableProps } from '@cloudscape-design/components/table'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import { downloadText } from '../../components/download.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { conformanceCsv, countCriteria, type Outcome, outcomes, outcomeTexts } from './conformance-texts.ts'
import { type DomainResult, useAllConformance } from './use-conformance.ts'

const numberColumn = (outcome: Outcome): TableProps.ColumnDefinition<DomainResult> => ({
  id: outcome,
  header: <span className="number-heading">{outcomeTexts[outcome].label}</span>,
  minWidth: 90,
  cell: ({ conformance }) => (
    <span className="number">{conformance === null ? '–' : countCriteria(conformance)[outcome]}</span>
  ),
})

const columns: TableProps.ColumnDefinition<DomainResult>[] = [
  {
    id: 'domain',
    header: 'Domain',
    isRowHeader: true,
    minWidth: 220,
    cell: ({ domain, error }) => (
      <>
        <ViewLink to={`/conformance?domain=${encodeURIComponent(domain)}`}>
          <TextOfOthers text={domain} />
        </ViewLink>
        {error !== null && <div>Not compared: {error}</div>}
      </>
    ),
  },
  ...outcomes.map(numberColumn),
]

export function AllDomains({ domains }: { domains: readonly string[] }) {
  const { results, isRunning, start, stop } = useAllConformance()
  const compared = results.flatMap(({ conformance }) => conformance ?? [])
  return (
    <Table
      items={results}
      columnDefinitions={columns}
      trackBy="domain"
      contentDensity="compact"
      wrapLines
      ariaLabels={{ tableLabel: 'All domains' }}
      header={
        <Header
          variant="h2"
          counter={`(${results.length}/${domains.length})`}
          description="A criterion of several standards counts once. Each domain takes up to 25 seconds; stay on this page."
          actions={
            <span className="not-printed">
              <SpaceBetween direction="horizontal" size="xs">
                {isRunning ? (
                  <Button onClick={stop}>Stop</Button>
                ) : (
                  <Button variant="primary" onClick={() => start(domains)}>
                    {`Compare ${countText(domains.length, 'domain')}`}
                  </Button>
                )}
                <Button
                  iconName="download"
                  disabled={compared.length === 0}
                  onClick={() => downloadText('conformance.csv', 'text/csv', conformanceCsv(compared))}
                >
                  Download CSV
                </Button>
                <Button disabled={compared.length === 0} onClick={() => window.print()}>
                  Print
                </Button>
              </SpaceBetween>
            </span>
          }
        >
          All domains
        </Header>
      }
      {...(isRunning && {
        filter: (
          <ProgressBar
            label="Compared"
            value={(100 * results.length) / domains.length}
            additionalInfo={`${results.length} of ${countText(domains.length, 'domain')}`}
          />
        ),
      })}
      empty={isRunning ? 'The first domain is being compared.' : 'No domain is compared yet.'}
    />
  )
}
