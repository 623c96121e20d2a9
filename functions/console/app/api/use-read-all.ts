/** Reads a list of the API that has several pages. */
import { type UseQueryResult, useQuery } from '@tanstack/react-query'
import type { ApiError } from './api-error.ts'
import { useApi } from './use-api.ts'

interface Page<T> {
  items: T[]
  nextCursor: string | null
}

/** Reads all pages. A list that changes meanwhile may lack an entry until it is read again. */
export function useReadAll<T>(path: string, limit: number): UseQueryResult<T[], ApiError> {
  const api = useApi()
  return useQuery<T[], ApiError>({
    queryKey: [path, 'all'],
    queryFn: async ({ signal }) => {
      const items: T[] = []
      let cursor: string | undefined
      do {
        const page = await api.get<Page<T>>(path, { limit, cursor }, signal)
        items.push(...page.items)
        cursor = page.nextCursor ?? undefined
      } while (cursor !== undefined)
      return items
    },
  })
}
