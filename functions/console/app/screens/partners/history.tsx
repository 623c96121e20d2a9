/** Who changed the connectors of a pair, and what. */
import Box from '@cloudscape-design/components/box'
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import Table from '@cloudscape-design/components/table'
import { useQueries } from '@tanstack/react-query'
import type { ApiError } from '../../api/api-error.ts'
import type { ChangeEntry, ChangeList } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { timeWidth } from '../../components/column-widths.ts'
import { Failure } from '../../components/failure.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { changedFields } from './partner-numbers.ts'
import type { Pair } from './partner-pairs.ts'

const path = '/changes'
const limit = 25

export function History({ pair: { inbound, outbound } }: { pair: Pair }) {
  const api = useApi()
  const results = useQueries({
    queries: [inbound, outbound]
      .flatMap((connector) => connector?.id ?? [])
      .map((key) => ({
        queryKey: [path, { key, limit }],
        queryFn: ({ signal }: { signal: AbortSignal }) => api.get<ChangeList>(path, { key, limit }, signal),
      })),
  })
  const error = (results.find((result) => result.error)?.error as ApiError | undefined) ?? null
  const changes = results
    .flatMap(({ data }) => data?.items ?? [])
    .toSorted((a, b) => b.at.localeCompare(a.at))
    .slice(0, limit)
  return (
    <Container
      header={
        <Header variant="h2" description={`The last ${limit} changes of the two connectors.`}>
          Changes
        </Header>
      }
    >
      {error ? (
        <Failure
          title="Cannot read the changes"
          error={error}
          retry={() => Promise.all(results.map(({ refetch }) => refetch()))}
        />
      ) : (
        <Table
          variant="embedded"
          contentDensity="compact"
          wrapLines
          ariaLabels={{ tableLabel: 'Changes' }}
          loading={results.some(({ isPending }) => isPending)}
          loadingText="Reading the changes"
          items={changes}
          trackBy={({ version }) => String(version)}
          empty="No change is recorded."
          columnDefinitions={[
            {
              id: 'at',
              header: 'Time',
              minWidth: timeWidth,
              cell: ({ at }) => <Time at={at} />,
              isRowHeader: true,
            },
            {
              id: 'name',
              header: 'Connector',
              minWidth: 110,
              cell: ({ name }) => <TextOfOthers text={name} />,
            },
            { id: 'what', header: 'Change', minWidth: 150, cell: (change) => <Difference change={change} /> },
            { id: 'actor', header: 'By', minWidth: 180, cell: ({ actor }) => <TextOfOthers text={actor} /> },
          ]}
        />
      )}
    </Container>
  )
}

function Difference({ change }: { change: ChangeEntry }) {
  const fields = changedFields(change)
  if (fields.length === 0) return change.action
  return (
    <>
      {fields.map(({ field, from, to }) => (
        <Box key={field}>
          {field}: <TextOfOthers text={from} /> → <TextOfOthers text={to} />
        </Box>
      ))}
    </>
  )
}
