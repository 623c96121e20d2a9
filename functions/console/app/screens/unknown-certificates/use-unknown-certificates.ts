/** Reads unknown certificates, the last presented first, a thousand at a time. */
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ApiError } from '../../api/api-error.ts'
import type { UnknownCertificate, UnknownCertificateList } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'

export const unknownPath = '/certificates/unknown'

const limit = 100
/** Pages that are read together: an attacker can fill the list, so not all are read at once. */
const maxPages = 10

interface Part {
  items: UnknownCertificate[]
  nextCursor: string | null
}

export interface UnknownFilter {
  trusted: boolean
  connector: string | undefined
  state: string | undefined
}

export function useUnknownCertificates({ trusted, connector, state }: UnknownFilter) {
  const api = useApi()
  const query = { trusted: String(trusted), connector, state, limit }
  return useInfiniteQuery<Part, ApiError, { items: UnknownCertificate[] }, unknown[], string | null>({
    queryKey: [unknownPath, query],
    initialPageParam: null,
    queryFn: async ({ pageParam, signal }) => {
      const items: UnknownCertificate[] = []
      let cursor = pageParam
      for (let page = 0; page < maxPages; page++) {
        const answer: UnknownCertificateList = await api.get(unknownPath, { ...query, cursor }, signal)
        items.push(...answer.items)
        cursor = answer.nextCursor
        if (cursor === null) break
      }
      return { items, nextCursor: cursor }
    },
    getNextPageParam: ({ nextCursor }) => nextCursor,
    select: ({ pages }) => ({ items: pages.flatMap(({ items }) => items) }),
  })
}
