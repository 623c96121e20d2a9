/** Gives components the client of the API. */
import { type UseQueryResult, useQuery } from '@tanstack/react-query'
import { createContext, useContext } from 'react'
import type { ApiClient, Query } from './api-client.ts'
import type { ApiError } from './api-error.ts'

export const ApiContext = createContext<ApiClient | null>(null)

export function useApi(): ApiClient {
  const client = useContext(ApiContext)
  if (client === null) throw new Error('no client of the API')
  return client
}

/** Reads from the API. The answer is kept for other views, and read again when a view that shows it is opened. */
export function useRead<T>(path: string, query: Query = {}, refetchMs?: number): UseQueryResult<T, ApiError> {
  const api = useApi()
  return useQuery<T, ApiError>({
    queryKey: [path, query],
    queryFn: ({ signal }) => api.get<T>(path, query, signal),
    ...(refetchMs !== undefined && { refetchInterval: refetchMs }),
  })
}
