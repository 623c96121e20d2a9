/**
 * Where a message can be handed to: the addresses of a route, best first. The attack: whoever runs a recipient's
 * DNS chooses where we connect, and could aim us at our own network or at a metadata service (169.254.169.254).
 * The defence: an address found through MX must be public, or lie in a network the deployment lists. Smart hosts
 * are the administrator's own choice and may be anywhere. The limit: the question and the connection are two
 * steps, but it is the resolved address that is connected to, so nothing can change in between.
 */
import { isIP } from 'node:net'
import type { Route, SmartHost } from '../contract/jobs.ts'
import type { Reply } from '../contract/message.ts'
import { normaliseDomain } from '../mail/domain.ts'
import { reply } from '../mail/reply.ts'
import type { HopFacts } from '../policy/transport-security.ts'
import { addressFilter } from './address-filter.ts'
import type { Exchange, Resolver } from './resolver.ts'
import type { Endpoint } from './smtp-session.ts'

export interface NextHop extends Endpoint, Omit<HopFacts, 'domain'> {}

export interface RoutingOptions {
  /** CIDRs that an MX may point into although they are not public. */
  privateNetworks: readonly string[]
  /** Whether to look for TLSA records of the hosts (RFC 7672). */
  dane: boolean
  /** In [0, 1); spreads load among equals. */
  random: () => number
  /** The attempt's limit. */
  signal: AbortSignal
}

export type NextHops = { kind: 'Found'; hops: NextHop[] } | { kind: 'NotFound'; reply: Reply }

export type SmtpRoute = Extract<Route, { kind: 'Mx' | 'SmartHosts' }>

/** RFC 5321 §5.1 lets a client limit how many addresses it tries; so many hosts are asked for, too. */
const mostAddresses = 10
/** Milliseconds for all the questions of one attempt: a domain's silent servers must not take the whole of it. */
const longestLookup = 30_000
const smtpPort = 25

const unproven = { authentic: false, dane: { kind: 'None' } } as const

/** @returns at most ten addresses in the order to try them; a 4xx reply when asking again may help, else a 5xx */
export async function findNextHops(
  route: SmtpRoute,
  resolver: Resolver,
  options: RoutingOptions,
): Promise<NextHops> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(longestLookup)])
  const bounded = boundedBy(signal, resolver)
  return route.kind === 'Mx'
    ? hopsOfDomain(route.domain, bounded, options)
    : hopsOf(shuffled(route.hosts, options.random), bounded, () => true, 'The smart hosts have no address')
}

/** A question that is not answered in time failed as one does that no server answers. */
function boundedBy(signal: AbortSignal, resolver: Resolver): Resolver {
  return {
    ask: (name, type) =>
      new Promise((resolve) => {
        const late = () => resolve({ kind: 'Failed', code: 'ETIMEOUT', bogus: false })
        if (signal.aborted) return late()
        signal.addEventListener('abort', late, { once: true })
        resolver.ask(name, type, signal).then((answer) => {
          signal.removeEventListener('abort', late)
          resolve(answer)
        })
      }),
  }
}

async function hopsOfDomain(domain: string, resolver: Resolver, options: RoutingOptions): Promise<NextHops> {
  const answer = await resolver.ask(domain, 'MX')
  if (answer.kind === 'NoSuchName') return notFound(noSuchDomain(domain))
  if (answer.kind === 'Failed') return notFound(dnsFailed(`MX of ${domain}`, answer.code))
  const allowed = addressFilter(options.privateNetworks)
  if (answer.kind === 'NoData') return hopsOfImplicitMx(domain, resolver, allowed)
  if (isNullMx(answer.records)) return notFound(reply(556, '1.10', `${domain} accepts no mail (null MX)`))
  const hosts = exchangesInOrder(answer.records, options.random).map((host) => ({ host, port: smtpPort }))
  return hopsOf(hosts, resolver, allowed, `No mail exchanger of ${domain} has an address that may be used`)
}

/** RFC 5321 §5.1: only without any MX record is the domain itself the mail exchanger. */
async function hopsOfImplicitMx(
  domain: string,
  resolver: Resolver,
  allowed: (ip: string) => boolean,
): Promise<NextHops> {
  const { ips, failure } = await addressesOf(domain, resolver)
  if (ips.length === 0) return notFound(failure ?? noSuchDomain(domain))
  const hops = ips
    .filter(allowed)
    .map((ip) => ({ ...unproven, foundBy: 'Domain' as const, host: domain, ip, port: smtpPort }))
  return hops.length > 0
    ? { kind: 'Found', hops: hops.slice(0, mostAddresses) }
    : notFound(reply(451, '4.312', `${domain} has no address that may be used`))
}

/** RFC 7505 §3: a single record with an empty exchange; beside other records it is only ignored. */
function isNullMx(records: readonly Exchange[]): boolean {
  return records.length > 0 && records.every(({ exchange }) => isRoot(exchange))
}

const isRoot = (exchange: string): boolean => exchange === '' || exchange === '.'

/** RFC 5321 §5.1: by preference, equals in random order. */
function exchangesInOrder(records: readonly Exchange[], random: () => number): string[] {
  const usable = shuffled(records, random).sort((one, other) => one.preference - other.preference)
  const names = usable.map(({ exchange }) => (isRoot(exchange) ? null : normaliseDomain(exchange)))
  return [...new Set(names.filter((name) => name !== null))]
}

async function hopsOf(
  hosts: readonly SmartHost[],
  resolver: Resolver,
  allowed: (ip: string) => boolean,
  otherwise: string,
): Promise<NextHops> {
  // All at once: a host whose name server is silent must not take the time of the others.
  const found = await Promise.all(
    hosts.slice(0, mostAddresses).map(async ({ host, port }) => ({
      host,
      port,
      ...(isIP(host) ? { ips: [host], failure: null } : await addressesOf(host, resolver)),
    })),
  )
  const failure = found.find((each) => each.failure !== null)?.failure ?? null
  const hops = found.flatMap(({ host, port, ips }) =>
    ips.filter(allowed).map((ip) => ({ ...unproven, foundBy: 'Mx' as const, host, ip, port })),
  )
  if (hops.length > 0) return { kind: 'Found', hops: hops.slice(0, mostAddresses) }
  return notFound(failure ?? reply(451, '4.312', otherwise))
}

/** IPv4 first: Lambda reaches IPv6 only where the VPC was given it. */
async function addressesOf(
  host: string,
  resolver: Resolver,
): Promise<{ ips: string[]; failure: Reply | null }> {
  const answers = await Promise.all([resolver.ask(host, 'A'), resolver.ask(host, 'AAAA')])
  const ips = answers.flatMap((answer) => (answer.kind === 'Found' ? answer.records : []))
  const failed = answers.find((answer) => answer.kind === 'Failed')
  return { ips, failure: failed ? dnsFailed(`addresses of ${host}`, failed.code) : null }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item)
}

const notFound = (answer: Reply): NextHops => ({ kind: 'NotFound', reply: answer })

const noSuchDomain = (domain: string): Reply =>
  reply(550, '1.2', `${domain} does not exist or has no mail server`)

const dnsFailed = (what: string, code: string): Reply =>
  reply(451, '4.312', `DNS failed for the ${what}: ${code}`)
