/** What a list shows when it cannot be read. The API names each filter that it does not accept. */
import Alert from '@cloudscape-design/components/alert'
import type { ApiError } from '../../api/api-error.ts'
import { Failure } from '../../components/failure.tsx'
import { filterLabels } from './trace-filters.ts'

export function QueryFailure({ error, retry }: { error: ApiError; retry(): unknown }) {
  if (error.faults.length === 0) return <Failure title="Cannot read the list" error={error} retry={retry} />
  return (
    <Alert type="error" header="The API does not accept these filters">
      <ul>
        {error.faults.map(({ path, message }) => (
          <li key={path}>
            {labels[path] ?? path}: {message}
          </li>
        ))}
      </ul>
      Click a filter to correct it.
    </Alert>
  )
}

const labels: Readonly<Record<string, string>> = {
  ...filterLabels,
  from: 'Period',
  to: 'Period',
  cursor: 'Page',
}
