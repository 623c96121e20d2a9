/** The connectors that already name a domain of the draft, each with a link to edit it. */
import { firstNames } from '../../../../../shared/policy/text-lists.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import type { ConnectorDirection } from '../partners/connector-text.ts'
import type { DomainsInCommon } from './existing-connectors.ts'

const shownConnectors = 5
const shownDomains = 3

interface DomainsInCommonWarningProps {
  direction: ConnectorDirection
  found: readonly DomainsInCommon[]
}

export const DomainsInCommonWarning = ({ direction, found }: DomainsInCommonWarningProps) => (
  <>
    {found.slice(0, shownConnectors).map(({ connector: { id, name }, domains }) => (
      <div key={id}>
        {firstNames(domains, shownDomains)} already {domains.length === 1 ? 'belongs' : 'belong'} to{' '}
        <ViewLink to={`/partners/${id}/edit/${direction}/${id}`}>
          <TextOfOthers text={name} />
        </ViewLink>
      </div>
    ))}
    {found.length > shownConnectors && <div>and to {found.length - shownConnectors} more connectors</div>}
  </>
)
