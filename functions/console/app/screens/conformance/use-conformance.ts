/** Compares domains with the standards. A comparison takes up to 25 seconds, so its result is kept. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import type { ApiClient } from '../../api/api-client.ts'
import type { ApiError } from '../../api/api-error.ts'
import type { DomainConformance } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { domainPath } from '../domains/use-domains.ts'

const optionsOf = (api: ApiClient, domain: string) => ({
  queryKey: [`${domainPath(domain)}/conformance`],
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    api.get<DomainConformance>(`${domainPath(domain)}/conformance`, {}, signal),
  staleTime: Number.POSITIVE_INFINITY,
  gcTime: Number.POSITIVE_INFINITY,
  retry: false,
})

/** @param domain empty: none */
export function useConformance(domain: string) {
  const api = useApi()
  return useQuery<DomainConformance, ApiError>({
    ...optionsOf(api, domain),
    enabled: domain !== '',
    refetchOnWindowFocus: false,
  })
}

export interface DomainResult {
  domain: string
  conformance: DomainConformance | null
  /** Why there is none. */
  error: string | null
}

/** Compares all domains, one after another. */
export function useAllConformance() {
  const api = useApi()
  const queries = useQueryClient()
  const [results, setResults] = useState<readonly DomainResult[]>([])
  const [isRunning, setIsRunning] = useState(false)
  const controller = useRef<AbortController | null>(null)
  useEffect(() => () => controller.current?.abort(), [])
  const run = async (domains: readonly string[]) => {
    const own = new AbortController()
    const { signal } = own
    controller.current = own
    setResults([])
    setIsRunning(true)
    for (const domain of domains) {
      if (signal.aborted) break
      const result = await queries
        .fetchQuery({ ...optionsOf(api, domain), staleTime: 0 })
        .then((conformance): DomainResult => ({ domain, conformance, error: null }))
        .catch((error: Error): DomainResult => ({ domain, conformance: null, error: error.message }))
      if (!signal.aborted) setResults((earlier) => [...earlier, result])
    }
    if (!signal.aborted) setIsRunning(false)
  }
  return {
    results,
    isRunning,
    start: (domains: readonly string[]) => void run(domains),
    stop: () => {
      controller.current?.abort()
      setIsRunning(false)
    },
  }
}
