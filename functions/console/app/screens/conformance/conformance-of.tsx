/** The comparison of one domain. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Spinner from '@cloudscape-design/components/spinner'
import Toggle from '@cloudscape-design/components/toggle'
import type { DomainConformance } from '../../api/types.ts'
import { downloadText } from '../../components/download.ts'
import { Failure } from '../../components/failure.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { useViewState } from '../../use-view-state.ts'
import { byStandard, conformanceCsv, shownRows } from './conformance-texts.ts'
import { MeasuredHosts } from './measured-hosts.tsx'
import { StandardSummary } from './standard-summary.tsx'
import { StandardTable } from './standard-table.tsx'
import { useConformance } from './use-conformance.ts'

export function ConformanceOf({ domain }: { domain: string }) {
  const { data, error, isFetching, refetch } = useConformance(domain)
  return (
    <SpaceBetween size="m">
      <Header
        variant="h2"
        description={
          data && (
            <>
              Compared <Time at={data.checkedAt} />, mailflow {data.softwareVersion}
            </>
          )
        }
        actions={
          <span className="not-printed">
            <SpaceBetween direction="horizontal" size="xs">
              <Button loading={isFetching} loadingText="Measuring" onClick={() => void refetch()}>
                Measure again
              </Button>
              {data && <Exports conformance={data} />}
            </SpaceBetween>
          </span>
        }
      >
        <TextOfOthers text={domain} />
      </Header>
      {error !== null && !isFetching && (
        <Failure title="The domain could not be compared" error={error} retry={() => refetch()} />
      )}
      {data === undefined && isFetching && (
        <div>
          <Spinner /> Measuring the MX hosts and reading the records. This takes up to 25 seconds.
        </div>
      )}
      {data && <Result conformance={data} />}
    </SpaceBetween>
  )
}

const Exports = ({ conformance }: { conformance: DomainConformance }) => (
  <SpaceBetween direction="horizontal" size="xs">
    <Button
      iconName="download"
      onClick={() =>
        downloadText(`conformance-${conformance.domain}.csv`, 'text/csv', conformanceCsv([conformance]))
      }
    >
      Download CSV
    </Button>
    <Button onClick={() => window.print()}>Print</Button>
  </SpaceBetween>
)

function Result({ conformance }: { conformance: DomainConformance }) {
  const [{ only = '' }, change] = useViewState()
  const groups = byStandard(conformance)
  const onlyOpen = only === 'not-met'
  const shown = groups
    .map((group) => ({ ...group, rows: shownRows(group.rows, onlyOpen) }))
    .filter(({ rows }) => rows.length > 0)
  return (
    <SpaceBetween size="l">
      <MeasuredHosts conformance={conformance} />
      <StandardSummary groups={groups} />
      <div className="not-printed">
        <Toggle
          checked={onlyOpen}
          onChange={({ detail }) => change({ only: detail.checked ? 'not-met' : '' })}
        >
          Only what is not met
        </Toggle>
      </div>
      {shown.length === 0 && <Box>Everything that was measured is met.</Box>}
      {shown.map((group) => (
        <StandardTable key={group.title} group={group} />
      ))}
    </SpaceBetween>
  )
}
