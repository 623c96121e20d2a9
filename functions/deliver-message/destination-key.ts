/**
 * Returns the destination queue of a job, which is that of its servers. Mail for many domains by the same smart hosts
 * has one destination: these servers carry the sum of it.
 */
import { createHash } from 'node:crypto'
import type { Route } from '../../shared/contract/jobs.ts'

/** Characters; a longer name is replaced by its digest, since a table's key holds 2048 octets. */
const maxKeyLength = 300

/** @returns null without a queue: SES scales by itself, and a TLS report is stored here */
export function destinationKey(route: Route): string | null {
  switch (route.kind) {
    case 'Mx':
      return route.domain
    case 'SmartHosts':
      return shortenKey(
        route.hosts
          .map(({ host, port }) => `${host}:${port}`)
          .sort()
          .join(' '),
      )
    default:
      return null
  }
}

function shortenKey(name: string): string {
  return name.length <= maxKeyLength ? name : createHash('sha256').update(name).digest('hex')
}
