/** Reads the changes, a page at a time. */
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ApiError } from '../../api/api-error.ts'
import type { ChangeEntry, ChangeList } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { changeQuery } from './change-query.ts'

export function useChanges(state: Readonly<Record<string, string>>) {
  const api = useApi()
  const query = changeQuery(state, Intl.DateTimeFormat().resolvedOptions().timeZone, Date.now())
  return useInfiniteQuery<ChangeList, ApiError, ChangeEntry[], readonly unknown[], string | null>({
    queryKey: ['/changes', query],
    queryFn: ({ pageParam, signal }) => api.get('/changes', { ...query, cursor: pageParam }, signal),
    initialPageParam: null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    select: ({ pages }) => pages.flatMap(({ items }) => items),
  })
}
