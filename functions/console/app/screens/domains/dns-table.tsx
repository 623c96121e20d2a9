/** The checks of a domain's records, the most urgent first. */
import Box from '@cloudscape-design/components/box'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import Table from '@cloudscape-design/components/table'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { CopyButton } from './copy-button.tsx'
import { byUrgency, type DnsCheck, sentencesOf, statusTexts } from './dns-texts.ts'

export const DnsTable = ({ checks }: { checks: readonly DnsCheck[] }) => (
  <Table
    variant="embedded"
    contentDensity="compact"
    cellVerticalAlign="top"
    wrapLines
    items={byUrgency(checks)}
    trackBy={({ check, name }) => `${check} ${name}`}
    ariaLabels={{ tableLabel: 'Checks of DNS records' }}
    columnDefinitions={[
      {
        id: 'check',
        header: 'Record',
        isRowHeader: true,
        minWidth: 140,
        cell: ({ check, name }) => (
          <>
            <Box variant="strong">{check}</Box>
            <Box variant="small" color="text-body-secondary" display="block">
              <TextOfOthers text={name} />
            </Box>
          </>
        ),
      },
      {
        id: 'status',
        header: 'Verdict',
        minWidth: 125,
        cell: ({ status }) => (
          <StatusIndicator type={statusTexts[status].indication}>{statusTexts[status].label}</StatusIndicator>
        ),
      },
      {
        id: 'detail',
        header: 'What this means',
        minWidth: 250,
        cell: (check) => <Sentences check={check} />,
      },
      { id: 'found', header: 'Found', minWidth: 160, cell: ({ found }) => <Values values={found} /> },
      {
        id: 'publish',
        header: 'To publish',
        minWidth: 200,
        cell: (check) => <ToPublish check={check} />,
      },
    ]}
  />
)

function Sentences({ check }: { check: DnsCheck }) {
  const sentences = sentencesOf(check)
  return (
    <SpaceBetween size="xxs">
      {sentences.map((sentence) => (
        <div key={sentence}>
          <TextOfOthers text={sentence} />
        </div>
      ))}
    </SpaceBetween>
  )
}

const Values = ({ values }: { values: readonly string[] }) =>
  values.length === 0 ? (
    '–'
  ) : (
    <SpaceBetween size="xxs">
      {[...new Set(values)].map((value) => (
        <code key={value}>
          <TextOfOthers text={value} />
        </code>
      ))}
    </SpaceBetween>
  )

function ToPublish({ check: { check, name, expected, publish } }: { check: DnsCheck }) {
  if (expected.length === 0) return '–'
  const lines = publish.length > 0 ? publish : expected
  return (
    <SpaceBetween size="xxs">
      <Values values={lines} />
      <CopyButton text={lines.join('\n')} label={`Copy ${check} of ${name}`} />
    </SpaceBetween>
  )
}
