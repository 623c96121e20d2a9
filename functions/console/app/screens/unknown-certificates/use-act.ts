/** Makes a change to the version of the connector that the person sees, or dismisses the certificate. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { ApiClient } from '../../api/api-client.ts'
import { type ApiError, conflictHeader, isLost } from '../../api/api-error.ts'
import type { SavedInboundConnector, UnknownCertificate, WaitingMail } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { connectorPath, useRefreshConnectors } from '../partners/use-connectors.ts'
import type { Act } from './acts.ts'
import { unknownPath } from './use-unknown-certificates.ts'

/** What the person reads after an act. */
export interface ActNotice {
  type: 'success' | 'warning'
  header: string
  lines: string[]
}

export interface ActInput {
  reason: string
  /** Whether mail that waits under the connector is decided at once. */
  retriesHeldMail: boolean
}

interface ActOfPerson {
  act: Act
  certificate: UnknownCertificate
  onNotice(notice: ActNotice): void
  onClose(): void
}

export function useAct({ act, certificate, onNotice, onClose }: ActOfPerson) {
  const api = useApi()
  const queries = useQueryClient()
  const refreshConnectors = useRefreshConnectors()
  const wasLost = useRef(false)
  // What the person was shown: a change by another person meanwhile is not overwritten.
  const [{ id, connector }] = useState(certificate)
  const path = `${unknownPath}/${encodeURIComponent(id)}`
  const refresh = () =>
    Promise.all([
      refreshConnectors(),
      queries.invalidateQueries({ queryKey: [unknownPath] }),
      queries.invalidateQueries({ queryKey: [path] }),
    ])
  return useMutation<ActNotice, ApiError, ActInput>({
    mutationFn: async ({ reason, retriesHeldMail }) => {
      if (act.kind === 'Dismiss') {
        await api.send('POST', `${path}/dismiss`, { reason })
        return { type: 'success', header: 'Dismissed. It causes no notice for 90 days.', lines: [] }
      }
      const body = act.kind === 'Hold' ? { onViolation: 'Defer' } : act.proposal.patch
      const inboundPath = connectorPath('inbound', connector.id)
      const { warnings } = await api.send<SavedInboundConnector>(
        'PATCH',
        inboundPath,
        body,
        connector.version ?? 0,
      )
      const retried = retriesHeldMail ? [await retryHeldMail(api, inboundPath)] : []
      return {
        type: warnings.length > 0 ? 'warning' : 'success',
        header:
          act.kind === 'Hold'
            ? 'Mail that the connector does not accept waits from now on'
            : 'The connector accepts the certificate now',
        lines: [...retried, ...warnings.map(({ message }) => message)],
      }
    },
    onSuccess: async (notice) => {
      await refresh()
      onNotice(notice)
      onClose()
    },
    onError: async (error) => {
      if (isLost(error.status)) wasLost.current = true
      if (error.status !== 412) return
      await refresh()
      onNotice({
        type: 'warning',
        header: conflictHeader('connector', wasLost.current),
        lines: [
          'What you see now is the present state. Check it, and repeat your change if it was not made.',
        ],
      })
      onClose()
    },
  })
}

/** The connector is changed in any case, so a failure is told, not thrown. */
async function retryHeldMail(api: ApiClient, path: string): Promise<string> {
  let requested = 0
  try {
    let cursor: string | null = null
    do {
      const query: string = cursor === null ? '' : `?${new URLSearchParams({ cursor })}`
      const answer: WaitingMail = await api.send('POST', `${path}/retry${query}`)
      requested += answer.requested
      cursor = answer.nextCursor
    } while (cursor !== null)
    return requested === 0
      ? 'No mail waits under this connector.'
      : `The mail of ${countText(requested, 'recipient')} that waits is decided now.`
  } catch (error) {
    return `The held mail could not be decided at once, and is decided within a quarter of an hour: ${(error as Error).message}`
  }
}
