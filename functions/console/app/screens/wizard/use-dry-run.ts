/** Starts a dry run and waits for its result. It stays when the person goes to another step and comes back. */
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { ApiError } from '../../api/api-error.ts'
import type { DryRun, StartedDryRun } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { type DryRunRequest, dryRunInput } from './dry-run-request.ts'

const pollMs = 1000

export interface DryRunState {
  start(request: DryRunRequest): void
  isStarting: boolean
  error: ApiError | null
  result: DryRun | null
  completeUntil: string | null
  /** Whether the draft is not the one of the dry run any more. */
  isOfOther(request: DryRunRequest): boolean
}

/** @param onError such as for faults of the draft */
export function useDryRun(onError: (error: ApiError) => void): DryRunState {
  const api = useApi()
  const [started, setStarted] = useState<(StartedDryRun & { input: string }) | null>(null)
  const start = useMutation<StartedDryRun & { input: string }, ApiError, DryRunRequest>({
    mutationFn: async (request) => {
      const input = dryRunInput(request)
      return { ...(await api.send<StartedDryRun>('POST', '/dry-runs', input)), input: JSON.stringify(input) }
    },
    onSuccess: setStarted,
    onError,
  })
  const id = started?.id ?? null
  const { data, error } = useQuery<DryRun, ApiError>({
    queryKey: ['/dry-runs', id],
    queryFn: ({ signal }) => api.get<DryRun>(`/dry-runs/${id}`, {}, signal),
    enabled: id !== null,
    refetchInterval: ({ state }) =>
      state.data === undefined || state.data.state === 'Running' ? pollMs : false,
  })
  return {
    start: (request) => {
      setStarted(null)
      start.mutate(request)
    },
    isStarting: start.isPending,
    error: start.error ?? (started === null ? null : error),
    result: started === null ? null : (data ?? null),
    completeUntil: started?.completeUntil ?? null,
    isOfOther: (request) => started !== null && started.input !== JSON.stringify(dryRunInput(request)),
  }
}
