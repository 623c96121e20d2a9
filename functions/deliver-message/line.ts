/**
 * Whose line a job waits in: that of the servers it goes to. Mail for many domains by the same smart hosts is mail for
 * one destination, whose servers see the sum of it.
 */
import { createHash } from 'node:crypto'
import type { Route } from '../../shared/contract/jobs.ts'

/** Characters; what is longer is known by its digest, since a table's key holds 2048 octets. */
const longest = 300

/** @returns null for what needs no line: SES is as many servers as it takes, and a report goes nowhere */
export function lineOf(route: Route): string | null {
  switch (route.kind) {
    case 'Mx':
      return route.domain
    case 'SmartHosts':
      return shortened(
        route.hosts
          .map(({ host, port }) => `${host}:${port}`)
          .sort()
          .join(' '),
      )
    default:
      return null
  }
}

function shortened(name: string): string {
  return name.length <= longest ? name : createHash('sha256').update(name).digest('hex')
}
