/** Parses the options of `dns`. */
import { isIP } from 'node:net'
import { daySeconds } from '../../shared/contract/durations.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { domainOf } from '../../shared/mail/address.ts'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import type { Resolver } from '../../shared/net/dns/answer.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { Fault, UsageFault } from '../faults.ts'
import { ses, type Wish } from './publication-plan.ts'

interface Given {
  readonly host: readonly string[]
  readonly mode: string | undefined
  readonly 'max-age': string | undefined
  readonly 'report-address': string | undefined
  readonly egress: readonly string[]
}

/** @throws UsageFault naming the wrong option */
export function readWish(text: string, given: Given): Wish {
  const domain = normaliseDomain(text)
  if (domain === null) throw new UsageFault(`"${text}" is not a domain name`)
  return {
    domain,
    hosts: given.host.map(hostOf),
    mode: modeOf(given.mode),
    maxAgeSeconds: maxAgeOf(given['max-age']),
    reportAddress: addressOf(given['report-address']),
    egress: given.egress.length > 0 ? given.egress.map(egressOf) : [ses],
  }
}

function hostOf(text: string): string {
  const host = normaliseDomain(text)
  if (host === null) throw new UsageFault(`--host ${text}: not a host name`)
  return host
}

function modeOf(text: string | undefined): Wish['mode'] {
  if (text === undefined || text === 'testing' || text === 'enforce') return text ?? null
  throw new UsageFault(`--mode ${text}: not a mode; use testing or enforce`)
}

/** RFC 8461 §3.2: max_age is at most a year. */
const mostDays = 365

function maxAgeOf(text: string | undefined): number | null {
  if (text === undefined) return null
  const days = Number(text)
  if (/^\d+$/.test(text) && days >= 1 && days <= mostDays) return days * daySeconds
  throw new UsageFault(`--max-age ${text}: not a number of days from 1 to ${mostDays}`)
}

function addressOf(text: string | undefined): string | null {
  if (text === undefined) return null
  if (domainOf(text) === null || text.startsWith('@'))
    throw new UsageFault(`--report-address ${text}: not an email address`)
  return text
}

function egressOf(text: string): string {
  if (text !== ses && isIP(text) === 0)
    throw new UsageFault(`--egress ${text}: neither an IP address nor ${ses}`)
  return text
}

/**
 * @param servers empty for the system's resolvers
 * @throws UsageFault for a wrong server, Fault when the system has none
 */
export function readResolver(servers: readonly string[]): Resolver {
  try {
    return createResolver(servers)
  } catch (error) {
    if (servers.length > 0) throw new UsageFault(`--dns-server: ${errorMessage(error)}`)
    throw new Fault(`cannot use the resolver of this machine: ${errorMessage(error)}`, [
      'Give a resolver with --dns-server.',
    ])
  }
}
