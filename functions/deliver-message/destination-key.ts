/**
 * Returns the key of a job's destination queue. The key identifies the servers, not the recipients' domain: mail for
 * several domains through the same smart hosts has one destination, because these servers receive all of that mail.
 */
import { createHash } from 'node:crypto'
import type { Route } from '../../shared/contract/jobs.ts'

/** In characters. A longer key is replaced by its digest, because a DynamoDB key may have at most 2048 octets. */
const maxKeyLength = 300

/**
 * @returns null for a route without a destination queue: SES scales by itself, and TLS reports and canaries stay in
 * mailflow
 */
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
