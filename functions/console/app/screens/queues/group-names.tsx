/** Names the groups that an act applies to. */
import type { ConnectorName } from '../../api/use-connector-names.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { type Queue, queueKey } from './acts.ts'

const maxNames = 10

interface GroupNamesProps {
  groups: readonly Queue[]
  connectors: readonly ConnectorName[]
}

export function GroupNames({ groups, connectors }: GroupNamesProps) {
  return (
    <ul className="names">
      {groups.slice(0, maxNames).map((group) => (
        <li key={queueKey(group)}>
          {group.partner === null ? 'no partner' : <TextOfOthers text={group.partner} />}, {group.reason}
          {group.connector !== null && (
            <>
              ,{' '}
              <TextOfOthers
                text={connectors.find(({ id }) => id === group.connector)?.name ?? group.connector}
              />
            </>
          )}
        </li>
      ))}
      {groups.length > maxNames && <li>{groups.length - maxNames} more</li>}
    </ul>
  )
}
