/** Saves a draft: creates the connector, or changes the version that the person saw. */
import { useMutation } from '@tanstack/react-query'
import type { ApiError } from '../../api/api-error.ts'
import type { SavedInboundConnector, SavedOutboundConnector } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { useIsMounted } from '../../components/use-is-mounted.ts'
import { connectorPath, useRefreshConnectors } from '../partners/use-connectors.ts'
import type { WaitingChoice } from '../partners/use-stage-change.ts'
import { patchOf } from './difference.ts'
import { type Body, type Connector, type Draft, shownFields } from './draft.ts'

export type SavedConnector = SavedInboundConnector | SavedOutboundConnector

interface Save {
  direction: Draft['direction']
  base: Connector | null
  body: Body
  waiting: WaitingChoice | null
}

/** @param onSaved is not called if the person has left the wizard meanwhile */
export function useSave(onSaved: (saved: SavedConnector) => void, onError: (error: ApiError) => void) {
  const api = useApi()
  const refresh = useRefreshConnectors()
  const isMounted = useIsMounted()
  return useMutation<SavedConnector, ApiError, Save>({
    mutationFn: ({ direction, base, body, waiting }) => {
      if (base === null) return api.send('POST', `/${direction}-connectors`, body)
      const path = connectorPath(direction, base.id)
      const patch = patchOf(shownFields(direction, { ...base }), body)
      return api.send('PATCH', waiting === null ? path : `${path}?waiting=${waiting}`, patch, base.version)
    },
    onSuccess: async (saved) => {
      await refresh()
      if (isMounted.current) onSaved(saved)
    },
    onError,
  })
}
