/** The API's warnings about the connector of the draft, before it is saved. A failed check does not prevent saving. */
import Alert from '@cloudscape-design/components/alert'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import { Reading } from '../../components/reading.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { namedWarnings } from '../partners/partner-rows.ts'
import { WarningList } from '../partners/warning-list.tsx'
import { type CheckedDraft, useConnectorCheck } from './use-connector-check.ts'

export function DraftWarnings({ draft }: { draft: CheckedDraft }) {
  const { data, error } = useConnectorCheck(draft)
  if (data !== undefined) {
    const warnings = namedWarnings(String(draft.body.name), data.warnings)
    if (warnings.length === 0) return null
    return (
      <WarningList
        header={`${countText(warnings.length, 'warning')} about the connector as it would be saved`}
        warnings={warnings}
      />
    )
  }
  if (error === null) return <Reading what="the warnings about the connector" />
  // The wizard itself says that the session has ended.
  if (error.status === 401) return null
  return (
    <Alert type="warning" header="Cannot read the warnings about the connector">
      <TextOfOthers text={error.message} />
      {error.faults.map(({ path, message }) => (
        <div key={`${path} ${message}`}>
          <TextOfOthers text={`${path} ${message}`} />
        </div>
      ))}
      {error.faults.length === 0 && <div>You can save the connector without them.</div>}
    </Alert>
  )
}
