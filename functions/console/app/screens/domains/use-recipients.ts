/** Reads the list of a domain's recipients: its beginning at once, all of it for a search or a later page. */
import { useQuery } from '@tanstack/react-query'
import type { ApiError } from '../../api/api-error.ts'
import type { AcceptedDomain } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { recipientsPath } from './use-domains.ts'

interface RecipientPage {
  items: string[]
  nextCursor: string | null
}

const firstPageSize = 1_000
/** The largest page of the API: a list has at most ten of them. */
const maxPageSize = 10_000

/** @param isAllWanted whether more than the beginning is needed */
export function useRecipients({ domain, recipientList }: AcceptedDomain, isAllWanted: boolean) {
  const api = useApi()
  const path = recipientsPath(domain)
  // Another version of the list is another list.
  const { version } = recipientList ?? {}
  const hasList = recipientList !== undefined
  const first = useQuery<RecipientPage, ApiError>({
    queryKey: [path, version, 'first'],
    queryFn: ({ signal }) => api.get<RecipientPage>(path, { limit: firstPageSize }, signal),
    enabled: hasList,
  })
  const isLong = first.data?.nextCursor != null
  const all = useQuery<string[], ApiError>({
    queryKey: [path, version, 'all'],
    queryFn: async ({ signal }) => {
      const items: string[] = []
      let cursor: string | undefined
      do {
        const page = await api.get<RecipientPage>(path, { limit: maxPageSize, cursor }, signal)
        items.push(...page.items)
        cursor = page.nextCursor ?? undefined
      } while (cursor !== undefined)
      return items
    },
    enabled: hasList && isLong && isAllWanted,
  })
  return {
    addresses: all.data ?? first.data?.items ?? [],
    isReading: hasList && (first.isPending || (isLong && isAllWanted && all.isPending)),
    error: first.error ?? all.error,
    retry: () => Promise.all([first.refetch(), ...(isAllWanted ? [all.refetch()] : [])]),
  }
}
