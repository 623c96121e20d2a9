/** Who changed which connector or accepted domain, and how. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import ButtonDropdown from '@cloudscape-design/components/button-dropdown'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { downloadText } from '../../components/download.ts'
import { Remote } from '../../components/remote.tsx'
import { useViewState } from '../../use-view-state.ts'
import { ChangeFilters } from './change-filters.tsx'
import { ChangeTable } from './change-table.tsx'
import { changesCsv, changesJson } from './changed-fields.ts'
import { useChanges } from './use-changes.ts'

export default function Changes() {
  const [state] = useViewState()
  const result = useChanges(state)
  const changes = result.data ?? []
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = result
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="Changes of connectors and accepted domains, the newest first."
          actions={
            <ButtonDropdown
              disabled={changes.length === 0}
              items={[
                { id: 'csv', text: 'CSV' },
                { id: 'json', text: 'JSON' },
              ]}
              onItemClick={({ detail }) =>
                detail.id === 'csv'
                  ? downloadText('changes.csv', 'text/csv', changesCsv(changes))
                  : downloadText('changes.json', 'application/json', changesJson(changes))
              }
            >
              Download what is shown
            </ButtonDropdown>
          }
        >
          Changes
        </Header>
      }
    >
      <SpaceBetween size="m">
        <ChangeFilters />
        <Remote what="the changes" result={result}>
          {() => <ChangeTable changes={changes} hasMore={hasNextPage} />}
        </Remote>
        {hasNextPage && (
          <Box textAlign="center">
            <Button loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
              Show earlier changes
            </Button>
          </Box>
        )}
      </SpaceBetween>
    </ContentLayout>
  )
}
