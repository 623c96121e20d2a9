/** Reads the connectors of both directions, paired. */
import { useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { InboundConnector, OutboundConnector } from '../../api/types.ts'
import { useReadAll } from '../../api/use-read-all.ts'
import type { ConnectorDirection } from './connector-text.ts'
import { pairConnectors } from './partner-pairs.ts'

const pageLimit = 200
const paths = { inbound: '/inbound-connectors', outbound: '/outbound-connectors' } as const satisfies Record<
  ConnectorDirection,
  string
>

export const connectorPath = (direction: ConnectorDirection, id: string): string =>
  `${paths[direction]}/${encodeURIComponent(id)}`

export function usePairs() {
  const inbound = useReadAll<InboundConnector>(paths.inbound, pageLimit)
  const outbound = useReadAll<OutboundConnector>(paths.outbound, pageLimit)
  const pairs = useMemo(
    () => (inbound.data && outbound.data ? pairConnectors(inbound.data, outbound.data) : null),
    [inbound.data, outbound.data],
  )
  return { inbound, outbound, pairs }
}

/** @returns a function that reads connectors and their changes again */
export function useRefreshConnectors(): () => Promise<unknown> {
  const queries = useQueryClient()
  return () =>
    Promise.all(
      [...Object.values(paths), '/changes'].map((path) => queries.invalidateQueries({ queryKey: [path] })),
    )
}
