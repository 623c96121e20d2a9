/** Reads accepted domains, and changes the version of one that the person sees. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ApiError } from '../../api/api-error.ts'
import type { AcceptedDomain } from '../../api/types.ts'
import { useApi, useRead } from '../../api/use-api.ts'
import { useReadAll } from '../../api/use-read-all.ts'

export const domainsPath = '/accepted-domains'
const maxPageSize = 200

export const domainPath = (domain: string): string => `${domainsPath}/${encodeURIComponent(domain)}`
export const recipientsPath = (domain: string): string => `${domainPath(domain)}/recipients`

export const useDomains = () => useReadAll<AcceptedDomain>(domainsPath, maxPageSize)

export const useDomain = (domain: string) => useRead<AcceptedDomain>(domainPath(domain))

export interface DomainChange {
  method: 'PUT' | 'PATCH' | 'DELETE'
  path: string
  body?: unknown
}

/**
 * @param domain null: the change adds a domain. Else the change is made to the version that the person was shown: a change
 * by another person meanwhile is not overwritten.
 */
export function useDomainChange(domain: AcceptedDomain | null, onSaved: (saved: AcceptedDomain) => void) {
  const api = useApi()
  const queries = useQueryClient()
  const [version] = useState(domain?.version)
  const refresh = async (name: string) => {
    await queries.invalidateQueries({ queryKey: [domainsPath] })
    await queries.invalidateQueries({ queryKey: [domainPath(name)] })
    queries.removeQueries({ queryKey: [recipientsPath(name)] })
  }
  return useMutation<AcceptedDomain, ApiError, DomainChange>({
    mutationFn: ({ method, path, body }) => api.send(method, path, body, version),
    onSuccess: async (saved, { method }) => {
      if (method === 'DELETE') {
        queries.removeQueries({ queryKey: [domainPath(domain?.domain ?? '')] })
        await queries.invalidateQueries({ queryKey: [domainsPath] })
      } else await refresh(saved.domain)
      onSaved(saved)
    },
    onError: async (error) => {
      if (domain !== null && isConflict(error)) await refresh(domain.domain)
    },
  })
}

/** 404: removed meanwhile. 412: another version (RFC 9110 §13.1.1). */
export const isConflict = (error: ApiError | null): boolean =>
  error instanceof ApiError && (error.status === 412 || error.status === 404)
