/** Parses the options of `dns`. */
import { isIP } from 'node:net'
import { daySeconds } from '../../shared/contract/durations.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import {
  type DnsOptions,
  type Instructions,
  sesSender,
} from '../../shared/domain-records/publication-plan.ts'
import { normaliseSelector } from '../../shared/domain-records/zone-records.ts'
import { domainOf } from '../../shared/mail/address.ts'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import type { Resolver } from '../../shared/net/dns/answer.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { CommandError, UsageError } from '../command-error.ts'

interface RawOptions {
  readonly host: readonly string[]
  readonly mode: string | undefined
  readonly 'max-age': string | undefined
  readonly 'report-address': string | undefined
  readonly egress: readonly string[]
  readonly 'dkim-selector': readonly string[]
}

export const commandInstructions: Instructions = {
  enforcePolicy: 'publish --mode enforce',
  dnssecResolver:
    'a validating resolver: --dns-server tls://9.9.9.9#dns.quad9.net, or a validating resolver of your network',
  checkSelector: 'with --dkim-selector NAME',
}

/** @throws UsageError naming the wrong domain or option */
export function readDnsOptions(text: string, options: RawOptions): DnsOptions {
  const domain = normaliseDomain(text)
  if (domain === null) throw new UsageError(`"${text}" is not a domain name`)
  return {
    domain,
    hosts: options.host.map(parseHost),
    mode: parseMode(options.mode),
    maxAgeSeconds: parseMaxAge(options['max-age']),
    reportAddress: parseReportAddress(options['report-address']),
    egress: options.egress.length > 0 ? options.egress.map(parseEgress) : [sesSender],
    dkimSelectors: [...new Set(options['dkim-selector'].map((text) => parseSelector(text, domain)))],
    instructions: commandInstructions,
  }
}

function parseHost(text: string): string {
  const host = normaliseDomain(text)
  if (host === null) throw new UsageError(`--host ${text}: not a host name`)
  return host
}

function parseMode(text: string | undefined): DnsOptions['mode'] {
  if (text === undefined || text === 'testing' || text === 'enforce') return text ?? null
  throw new UsageError(`--mode ${text}: not a mode; use testing or enforce`)
}

/** RFC 8461 §3.2: max_age is at most a year. */
const maxPolicyDays = 365

function parseMaxAge(text: string | undefined): number | null {
  if (text === undefined) return null
  const days = Number(text)
  if (/^\d+$/.test(text) && days >= 1 && days <= maxPolicyDays) return days * daySeconds
  throw new UsageError(`--max-age ${text}: not a number of days from 1 to ${maxPolicyDays}`)
}

function parseReportAddress(text: string | undefined): string | null {
  if (text === undefined) return null
  if (domainOf(text) === null || text.startsWith('@'))
    throw new UsageError(`--report-address ${text}: not an email address`)
  return text
}

function parseEgress(text: string): string {
  if (text !== sesSender && isIP(text) === 0)
    throw new UsageError(`--egress ${text}: neither an IP address nor ${sesSender}`)
  return text
}

function parseSelector(text: string, domain: string): string {
  const selector = normaliseSelector(text, domain)
  if (selector === null)
    throw new UsageError(
      `--dkim-selector ${text}: not a selector, which is the part of a name before ._domainkey`,
    )
  return selector
}

/**
 * @param servers empty for the system's resolvers
 * @throws UsageError for an invalid server
 * @throws CommandError when the system has no resolver
 */
export function readResolver(servers: readonly string[]): Resolver {
  try {
    return createResolver(servers)
  } catch (error) {
    if (servers.length > 0) throw new UsageError(`--dns-server: ${errorMessage(error)}`)
    throw new CommandError(`cannot use the resolver of this machine: ${errorMessage(error)}`, [
      'Give a resolver with --dns-server.',
    ])
  }
}
