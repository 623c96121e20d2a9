/** Reads a report on the mail of a pair of connectors. */
import { useQueries } from '@tanstack/react-query'
import type { ApiError } from '../../api/api-error.ts'
import type { Report } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { useAtTime } from '../../components/use-at-time.ts'
import { firstDay, scopesOf } from './partner-numbers.ts'
import type { Pair } from './partner-pairs.ts'

export interface ScopedReport {
  /** Null until each part is there. */
  rows: Report['rows'] | null
  soFar: string | null
  error: ApiError | null
  refetch(): unknown
}

/** A pair without a single domain is read by connector: one request for each. */
export function useScopedReport(name: 'connector-tls' | 'rejected', pair: Pair, days: number): ScopedReport {
  const api = useApi()
  const from = useAtTime((now) => firstDay(now, days))
  const path = `/reports/${name}`
  const results = useQueries({
    queries: scopesOf(pair).map((scope) => {
      const query = { ...scope, from }
      return {
        queryKey: [path, query],
        queryFn: ({ signal }: { signal: AbortSignal }) => api.get<Report>(path, query, signal),
      }
    }),
  })
  const reports = results.flatMap(({ data }) => data ?? [])
  return {
    rows: reports.length === results.length ? reports.flatMap(({ rows }) => rows) : null,
    soFar:
      reports
        .flatMap(({ soFar }) => soFar ?? [])
        .sort()
        .at(0) ?? null,
    error: (results.find(({ error }) => error)?.error as ApiError | undefined) ?? null,
    refetch: () => Promise.all(results.map(({ refetch }) => refetch())),
  }
}
