/** What a view says after a connector was saved or removed. It is in the state of the history, not in the address. Pure. */
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { SavedInboundConnector, SavedOutboundConnector } from '../../api/types.ts'
import { isInbound } from './connector-text.ts'

export interface SavedState {
  saved: {
    id: string
    name: string
    direction: 'inbound' | 'outbound'
    act: 'added' | 'saved'
    /** What happened to mail that waited, if the person chose to return it. */
    returned: string | null
  }
}

export function savedState(connector: SavedInboundConnector | SavedOutboundConnector): SavedState {
  const { id, name } = connector
  return {
    saved: {
      id,
      name,
      direction: isInbound(connector) ? 'inbound' : 'outbound',
      act: connector.version === 1 ? 'added' : 'saved',
      returned: 'waiting' in connector && connector.waiting ? returnedText(connector.waiting) : null,
    },
  }
}

/** What the list of partners says after a connector was removed. */
export interface RemovedState {
  /** Name of the connector. */
  removed: string
}

const returnedText = ({ messages, nextCursor }: { messages: number; nextCursor: string | null }): string =>
  nextCursor === null
    ? `${countText(messages, 'waiting message')} will be returned.`
    : `${countText(messages, 'waiting message')} will be returned; more wait, which you find under Held and deferred.`
