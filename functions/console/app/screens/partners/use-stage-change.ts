/** Changes the stage of the version of a connector that the person sees, or removes it. */
import { useMutation } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { ApiError, conflictHeader, isLost } from '../../api/api-error.ts'
import type {
  InboundConnector,
  OutboundConnector,
  SavedInboundConnector,
  SavedOutboundConnector,
} from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { useIsMounted } from '../../components/use-is-mounted.ts'
import type { ConnectorDirection } from './connector-text.ts'
import type { RemovedState } from './saved-state.ts'
import type { StageOrRemoved } from './stage-change.ts'
import { stageTexts, valuesOfStage } from './stages.ts'
import { connectorPath, useRefreshConnectors } from './use-connectors.ts'

/** What the person reads after a change. */
export interface Notice {
  type: 'success' | 'warning'
  header: string
  lines: string[]
}

/** What the change does with mail that waits under a requirement that it lowers. */
export type WaitingChoice = 'hold' | 'return'

type SavedConnector = SavedInboundConnector | SavedOutboundConnector

interface StageChange {
  connector: InboundConnector | OutboundConnector
  direction: ConnectorDirection
  to: StageOrRemoved
  onNotice(notice: Notice): void
  onClose(): void
}

export function useStageChange({ connector, direction, to, onNotice, onClose }: StageChange) {
  const api = useApi()
  const [, navigate] = useLocation()
  const refresh = useRefreshConnectors()
  const isMounted = useIsMounted()
  const wasLost = useRef(false)
  // The version when the person was shown the effect: a change by another person meanwhile is not overwritten.
  const [version] = useState(connector.version)
  const path = connectorPath(direction, connector.id)
  return useMutation<SavedConnector | null, ApiError, WaitingChoice | null>({
    mutationFn: async (waiting) => {
      const withChoice = waiting === null ? path : `${path}?waiting=${waiting}`
      if (to !== 'Removed')
        return api.send<SavedConnector>('PATCH', withChoice, valuesOfStage(direction, to), version)
      await api.send('DELETE', withChoice, undefined, version)
      return null
    },
    onSuccess: async (saved) => {
      if (saved === null || to === 'Removed') {
        const state: RemovedState = { removed: connector.name }
        if (isMounted.current) navigate('/partners', { state })
        await refresh()
        return
      }
      await refresh()
      // The page shows the warnings.
      onNotice({
        type: 'success',
        header: `${connector.name}: ${stageTexts[direction][to].label} is saved`,
        lines: [],
      })
      onClose()
    },
    onError: async (error) => {
      if (isLost(error.status)) wasLost.current = true
      if (!isConflict(error)) return
      await refresh()
      onNotice({
        type: 'warning',
        header: conflictHeader('connector', wasLost.current),
        lines: [
          'The page shows the connector as it is now. Check it, and repeat your change if it was not made.',
        ],
      })
      onClose()
    },
  })
}

/** 404: deleted meanwhile. 412: another version (RFC 9110 §13.1.1). */
const isConflict = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 412 || error.status === 404)

/** Whether the API needs to know what happens to mail that waits. */
export const needsWaitingChoice = (error: ApiError | null): boolean =>
  error?.status === 409 && error.faults.some(({ path }) => path === 'waiting')
