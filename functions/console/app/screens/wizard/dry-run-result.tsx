/** The result of a dry run: what would have been decided otherwise, and what cannot be told. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import Table from '@cloudscape-design/components/table'
import type { DryRun } from '../../api/types.ts'
import { SampleLinks } from '../../components/sample-links.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { reasonText } from '../partners/partner-numbers.ts'
import { dryRunSummary, outcomeDetails, outcomeText } from './dry-run-request.ts'

interface DryRunResultProps {
  result: DryRun
  completeUntil: string | null
}

type Different = DryRun['different'][number]
type Undetermined = DryRun['undetermined'][number]

export function DryRunResult({ result, completeUntil }: DryRunResultProps) {
  const { state, reason, from, to, considered, different, undetermined, notConsidered } = result
  if (state !== 'Succeeded')
    return (
      <Alert type="warning" header="The dry run failed">
        {reason !== null && <TextOfOthers text={`${reason} `} />}
        You can save the connector without it, or repeat it.
      </Alert>
    )
  return (
    <SpaceBetween size="m">
      <div>
        <StatusIndicator type={considered === 0 ? 'info' : different.length > 0 ? 'warning' : 'success'}>
          {considered === 0 ? 'No mail' : different.length > 0 ? 'Differences' : 'No difference'}
        </StatusIndicator>
        <div>{dryRunSummary(result)}</div>
        <Box color="text-body-secondary">
          Mail from <Time at={from} /> to <Time at={to} />.
          {completeUntil !== null && completeUntil < to && (
            <>
              {' '}
              Mail that was received from <Time at={completeUntil} /> on is not in it.
            </>
          )}
          {notConsidered > 0 && ` ${notConsidered} more, of rarer kinds, were not decided.`}
        </Box>
      </div>
      {different.length > 0 && <DifferentTable items={different} />}
      {undetermined.length > 0 && <UndeterminedTable items={undetermined} />}
    </SpaceBetween>
  )
}

const DifferentTable = ({ items }: { items: readonly Different[] }) => (
  <Table
    items={items}
    variant="embedded"
    wrapLines
    contentDensity="compact"
    ariaLabels={{ tableLabel: 'Decided otherwise' }}
    header={<Header variant="h2">Decided otherwise</Header>}
    columnDefinitions={[
      { id: 'count', header: 'Count', cell: ({ count }) => count, minWidth: 90 },
      { id: 'before', header: 'Now', cell: ({ before }) => <OutcomeOf outcome={before} />, minWidth: 180 },
      {
        id: 'after',
        header: 'Then',
        cell: ({ after, unlessRevoked }) => (
          <OutcomeOf outcome={after} note={unlessRevoked ? 'unless a certificate was revoked' : null} />
        ),
        minWidth: 220,
      },
      {
        id: 'samples',
        header: 'Such as',
        cell: ({ samples }) => <SampleLinks ids={samples} />,
        minWidth: 120,
      },
    ]}
  />
)

interface OutcomeOfProps {
  outcome: Different['before']
  note?: string | null
}

function OutcomeOf({ outcome, note = null }: OutcomeOfProps) {
  const sentence = outcome.reason === null ? null : reasonText(outcome.reason)
  return (
    <>
      <strong>{outcome.outcome}</strong>: {outcomeText(outcome)}
      {note !== null && `, ${note}`}
      <div className="secondary">
        <TextOfOthers text={outcomeDetails(outcome)} />
        {sentence !== null && <div>{sentence}</div>}
      </div>
    </>
  )
}

const undeterminedHeading = 'Cannot be told'

const UndeterminedTable = ({ items }: { items: readonly Undetermined[] }) => (
  <Table
    items={items}
    variant="embedded"
    wrapLines
    contentDensity="compact"
    ariaLabels={{ tableLabel: undeterminedHeading }}
    header={
      <Header variant="h2" description="The events do not say enough about this mail.">
        {undeterminedHeading}
      </Header>
    }
    columnDefinitions={[
      { id: 'count', header: 'Count', cell: ({ count }) => count, minWidth: 90 },
      {
        id: 'missing',
        header: 'What is missing',
        cell: ({ missing }) => <TextOfOthers text={missing} />,
        minWidth: 200,
      },
      {
        id: 'samples',
        header: 'Such as',
        cell: ({ samples }) => <SampleLinks ids={samples} />,
        minWidth: 120,
      },
    ]}
  />
)
