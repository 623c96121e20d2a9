/** What an administrator should look at: the API's warnings about both connectors, and what was measured. */
import Link from '@cloudscape-design/components/link'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { Pair } from './partner-pairs.ts'
import { connectorWarnings, measuredWarnings } from './partner-rows.ts'
import { WarningList } from './warning-list.tsx'

const elementId = 'warnings'

export function Warnings({ pair }: { pair: Pair }) {
  // The certificates below say themselves how many days are left.
  const warnings = [...connectorWarnings(pair), ...measuredWarnings(pair.outbound?.validation ?? null, null)]
  if (warnings.length === 0) return null
  return (
    <div id={elementId} tabIndex={-1}>
      <WarningList header={countText(warnings.length, 'warning')} warnings={warnings} />
    </div>
  )
}

/** Leads to the warnings without a new address, which would have no state. */
export const WarningsLink = () => (
  <Link
    variant="primary"
    href={`#${elementId}`}
    onFollow={(event) => {
      event.preventDefault()
      document.getElementById(elementId)?.focus()
    }}
  >
    Read the warnings below
  </Link>
)
