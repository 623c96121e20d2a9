/** Reads the API's warnings about a draft as it would be saved. */
import { type UseQueryResult, useQuery } from '@tanstack/react-query'
import type { ApiError } from '../../api/api-error.ts'
import type { ConnectorCheck } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { savedFields } from './draft.ts'
import type { DryRunRequest } from './dry-run-request.ts'

export type CheckedDraft = Pick<DryRunRequest, 'direction' | 'base' | 'body'>

export function useConnectorCheck({
  direction,
  base,
  body,
}: CheckedDraft): UseQueryResult<ConnectorCheck, ApiError> {
  const api = useApi()
  const path = `/${direction}-connectors/check`
  const input = { ...savedFields(direction, base, body), ...(base !== null && { id: base.id }) }
  return useQuery<ConnectorCheck, ApiError>({
    queryKey: [path, input],
    queryFn: ({ signal }) => api.check<ConnectorCheck>(path, input, signal),
    // Other connectors may have changed since the step was last open.
    staleTime: 0,
  })
}
