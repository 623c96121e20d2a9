/** Whether summaries of the reports are sent by mail, and how that is set. */
import Alert from '@cloudscape-design/components/alert'
import type { Configuration } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { Remote } from '../../components/remote.tsx'
import { summariesText } from './summaries-text.ts'

export function Summaries() {
  const result = useRead<Configuration>('/configuration')
  return (
    <Remote what="the configuration" result={result}>
      {({ summaries }) => (
        <Alert type="info" header="Reports by mail">
          {summariesText(summaries)} The setting <code>summaries</code> of the deployment names the mailboxes:{' '}
          <code>{'"summaries": { "daily": ["ops@example.net"], "weekly": [] }'}</code>
        </Alert>
      )}
    </Remote>
  )
}
