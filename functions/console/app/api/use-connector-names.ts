/** Names of connectors, for lists that have their ids. */
import { type UseQueryResult, useQuery } from '@tanstack/react-query'
import type { ApiClient } from './api-client.ts'
import type { ApiError } from './api-error.ts'
import type { InboundConnectorList, OutboundConnectorList } from './types.ts'
import { useApi } from './use-api.ts'

export interface ConnectorName {
  id: string
  name: string
  direction: 'Inbound' | 'Outbound'
}

const pageSize = 200

export function useConnectorNames(): UseQueryResult<readonly ConnectorName[], ApiError> {
  const api = useApi()
  return useQuery<readonly ConnectorName[], ApiError>({
    queryKey: ['connector-names'],
    queryFn: async ({ signal }) =>
      (
        await Promise.all([
          readNames(api, '/inbound-connectors', 'Inbound', signal),
          readNames(api, '/outbound-connectors', 'Outbound', signal),
        ])
      ).flat(),
  })
}

async function readNames(
  api: ApiClient,
  path: string,
  direction: ConnectorName['direction'],
  signal: AbortSignal,
): Promise<ConnectorName[]> {
  const names: ConnectorName[] = []
  let cursor: string | null = null
  do {
    const page: InboundConnectorList | OutboundConnectorList = await api.get(
      path,
      { limit: pageSize, cursor },
      signal,
    )
    names.push(...page.items.map(({ id, name }) => ({ id, name, direction })))
    cursor = page.nextCursor
  } while (cursor !== null)
  return names
}
