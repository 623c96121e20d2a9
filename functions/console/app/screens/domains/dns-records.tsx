/** What DNS says of a domain: each record with its verdict, what was found, and what to publish. */
import Button from '@cloudscape-design/components/button'
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Spinner from '@cloudscape-design/components/spinner'
import { Failure } from '../../components/failure.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { DnsTable } from './dns-table.tsx'
import { RecordsToPublish } from './records-to-publish.tsx'
import { useDns } from './use-dns.ts'

export function DnsRecords({ domain }: { domain: string }) {
  const { data, error, dataUpdatedAt, isFetching, refetch } = useDns(domain, true)
  return (
    <Container
      header={
        <Header
          variant="h2"
          description={
            data ? (
              <>
                Checked <Time at={new Date(dataUpdatedAt).toISOString()} />.{' '}
                <ViewLink to={`/conformance?domain=${encodeURIComponent(domain)}`}>
                  Compare with published standards
                </ViewLink>
              </>
            ) : undefined
          }
          actions={
            <Button loading={isFetching} loadingText="Checking" onClick={() => void refetch()}>
              Check again
            </Button>
          }
        >
          DNS records
        </Header>
      }
    >
      <SpaceBetween size="m">
        {error !== null && !isFetching && (
          <Failure title="The records could not be checked" error={error} retry={() => refetch()} />
        )}
        {data === undefined && isFetching && (
          <div>
            <Spinner /> Checking the records. This takes up to 20 seconds.
          </div>
        )}
        {data && <DnsTable checks={data.checks} />}
        {data && <RecordsToPublish dns={data} />}
      </SpaceBetween>
    </Container>
  )
}
