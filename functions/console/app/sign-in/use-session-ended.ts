import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { ApiError } from '../api/api-error.ts'

/** Returns whether the API has refused the person's token in any view. */
export function useSessionEnded(): boolean {
  const cache = useQueryClient().getQueryCache()
  const [hasEnded, setHasEnded] = useState(false)
  useEffect(
    () =>
      cache.subscribe(({ query }) => {
        const { error } = query.state
        if (error instanceof ApiError && error.status === 401) setHasEnded(true)
      }),
    [cache],
  )
  return hasEnded
}
