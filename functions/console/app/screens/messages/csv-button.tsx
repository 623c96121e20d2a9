/** Saves the list as a file: the API's CSV of all pages. */
import Button from '@cloudscape-design/components/button'
import Popover from '@cloudscape-design/components/popover'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { useMutation } from '@tanstack/react-query'
import type { Query } from '../../api/api-client.ts'
import { readCsv } from '../../api/csv-pages.ts'
import { useApi } from '../../api/use-api.ts'

export function CsvButton({ query }: { query: Query }) {
  const api = useApi()
  const download = useMutation({
    mutationFn: async () => {
      const { text, isComplete } = await readCsv((cursor) =>
        api.getCsv('/messages', { ...query, limit: 200, cursor }),
      )
      saveFile('messages.csv', text)
      return isComplete
    },
  })
  return (
    <SpaceBetween direction="horizontal" size="xs" alignItems="center">
      {download.error !== null && (
        <Popover dismissButton={false} content={download.error.message}>
          <StatusIndicator type="error">No file was saved</StatusIndicator>
        </Popover>
      )}
      {download.data === false && (
        <StatusIndicator type="warning">
          The file has the newest messages only; a shorter period has them all
        </StatusIndicator>
      )}
      <Button iconName="download" loading={download.isPending} onClick={() => download.mutate()}>
        Download CSV
      </Button>
    </SpaceBetween>
  )
}

function saveFile(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The browser may begin to read the file after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
