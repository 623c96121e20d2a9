/** What an administrator should look at: the API's warnings about both connectors, and what was measured. */
import Alert from '@cloudscape-design/components/alert'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import type { Pair } from './partner-pairs.ts'
import { connectorWarnings, measuredWarnings } from './partner-rows.ts'

export function Warnings({ pair }: { pair: Pair }) {
  // The certificates below say themselves how many days are left.
  const warnings = [...connectorWarnings(pair), ...measuredWarnings(pair.outbound?.validation ?? null, null)]
  if (warnings.length === 0) return null
  return (
    <Alert type="warning" header={countText(warnings.length, 'warning')}>
      <ul className="sentences">
        {warnings.map(({ long }) => (
          <li key={long}>
            <TextOfOthers text={long} />
          </li>
        ))}
      </ul>
    </Alert>
  )
}
