/** Checks the records of a domain. A check takes up to 20 seconds, so two run at a time, and the result is kept. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { concurrencyLimiter } from '../../../../../shared/limits/concurrency-limiter.ts'
import type { ApiError } from '../../api/api-error.ts'
import type { DomainDns } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { domainPath } from './use-domains.ts'

const maxConcurrentChecks = 2
const limit = concurrencyLimiter(maxConcurrentChecks)

const keyOf = (domain: string) => [`${domainPath(domain)}/dns`]

/** @param isWanted whether to check; a result that is known is shown in any case */
export function useDns(domain: string, isWanted: boolean) {
  const api = useApi()
  return useQuery<DomainDns, ApiError>({
    queryKey: keyOf(domain),
    queryFn: ({ signal }) =>
      limit(async () => {
        // The row may have left the screen while the check waited.
        signal.throwIfAborted()
        return api.get<DomainDns>(`${domainPath(domain)}/dns`, {}, signal)
      }),
    enabled: isWanted,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    retry: false,
  })
}

/** Forgets the results of all domains, so that those on the screen are checked again. */
export function useResetChecks(): () => void {
  const queries = useQueryClient()
  return () =>
    void queries.resetQueries({
      predicate: ({ queryKey: [path] }) => typeof path === 'string' && /\/dns$/.test(path),
    })
}
