/**
 * The addresses of a route's next hops, best first. The attack (SSRF): a recipient domain's DNS names an address in the
 * deployment's network or of a metadata service (169.254.169.254). The defence: an address found by MX lookup must be
 * public, or in a network that the deployment lists; the connection is made to the checked address. Smart hosts are
 * named by the administrator and may have any address.
 */
import { isIP } from 'node:net'
import type { Route, SmartHost } from '../contract/jobs.ts'
import type { Reply } from '../contract/message.ts'
import { normaliseDomain } from '../mail/domain.ts'
import { reply } from '../mail/reply.ts'
import type { HopFacts } from '../policy/hop-facts.ts'
import { createAddressFilter } from './address-filter.ts'
import { dnsFailureReply } from './dns-failure.ts'
import { findDane, noDane } from './find-dane.ts'
import type { MxRecord, Resolver } from './resolver.ts'
import type { Endpoint } from './smtp/connection.ts'

export interface NextHop extends Endpoint, Omit<HopFacts, 'domain'> {}

export interface RoutingOptions {
  /** CIDRs of private networks to which an MX host may resolve. */
  privateNetworks: readonly string[]
  /** Whether to look for TLSA records of the hosts (RFC 7672). */
  dane: boolean
  /** Returns a random number in [0, 1). Shuffles smart hosts, and MX hosts of equal preference, to spread the load. */
  random: () => number
  /** Aborts at the attempt's time limit. */
  signal: AbortSignal
}

export type NextHopsResult = { kind: 'Found'; hops: NextHop[] } | { kind: 'NotFound'; reply: Reply }

export type SmtpRoute = Extract<Route, { kind: 'Mx' | 'SmartHosts' }>

/** Limits the hosts that an attempt resolves, and the addresses that it tries (RFC 5321 §5.1 permits a limit). */
const maxAddresses = 10
/** Limits all DNS queries of an attempt: silent name servers must not use up the attempt's time. */
const lookupTimeoutMs = 30_000
const smtpPort = 25

/** @returns at most ten addresses in the order to try; otherwise a 4yz reply for a temporary failure, or a 5yz reply */
export async function findNextHops(
  route: SmtpRoute,
  resolver: Resolver,
  options: RoutingOptions,
): Promise<NextHopsResult> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(lookupTimeoutMs)])
  const boundedResolver = withTimeout(signal, resolver)
  return route.kind === 'Mx'
    ? findHopsOfDomain(route.domain, boundedResolver, options)
    : findHopsOfHosts(shuffle(route.hosts, options.random).map(toHost), boundedResolver, {
        ...options,
        isAllowed: () => true,
        noAddressText: 'The smart hosts have no address',
      })
}

/** A query that exceeds the time limit fails like a query that no name server answers. */
function withTimeout(signal: AbortSignal, resolver: Resolver): Resolver {
  return {
    query: (name, type) =>
      new Promise((resolve, reject) => {
        const onAbort = () => resolve({ kind: 'Failed', code: 'ETIMEOUT', bogus: false })
        if (signal.aborted) return onAbort()
        signal.addEventListener('abort', onAbort, { once: true })
        resolver.query(name, type, signal).then((answer) => {
          signal.removeEventListener('abort', onAbort)
          resolve(answer)
        }, reject)
      }),
  }
}

/** The administrator names the host, so it needs no DNSSEC proof. */
const toHost = (smartHost: SmartHost): HostToResolve => ({
  ...smartHost,
  foundBy: 'SmartHost',
  authentic: true,
  mxDomains: [],
})

async function findHopsOfDomain(
  domain: string,
  resolver: Resolver,
  options: RoutingOptions,
): Promise<NextHopsResult> {
  const answer = await resolver.query(domain, 'MX')
  if (answer.kind === 'NoSuchName') return notFound(noSuchDomainReply(domain))
  if (answer.kind === 'Failed') return notFound(dnsFailureReply(`MX of ${domain}`, answer))
  const allowed = createAddressFilter(options.privateNetworks)
  if (answer.kind === 'NoData')
    return findHopsOfImplicitMx(domain, resolver, { ...options, isAllowed: allowed })
  if (isNullMx(answer.records)) return notFound(reply(556, '5.1.10', `${domain} accepts no mail (null MX)`))
  const mxFacts = {
    foundBy: 'Mx',
    port: smtpPort,
    authentic: answer.secure,
    mxDomains: answer.name === domain ? [domain] : [domain, answer.name],
  } as const
  const hosts = sortMxHosts(answer.records, options.random).map((host) => ({ ...mxFacts, host }))
  const noAddressText = `No mail exchanger of ${domain} has an address that may be used`
  return findHopsOfHosts(hosts, resolver, { ...options, isAllowed: allowed, noAddressText })
}

/**
 * RFC 5321 §5.1: only a domain without any MX record is its own MX host. An attacker who hides the MX records cannot
 * introduce another name, so the absence of MX records needs no proof.
 */
async function findHopsOfImplicitMx(
  domain: string,
  resolver: Resolver,
  options: LookupOptions,
): Promise<NextHopsResult> {
  const host = { host: domain, port: smtpPort, foundBy: 'Domain', authentic: true, mxDomains: [] } as const
  const { hops, failure, isFound } = await resolveHost(host, resolver, options)
  if (hops.length > 0) return { kind: 'Found', hops: hops.slice(0, maxAddresses) }
  if (!isFound) return notFound(failure ?? noSuchDomainReply(domain))
  return notFound(reply(451, '4.4.312', `${domain} has no address that may be used`))
}

/** RFC 7505 §3: null MX is a single record with an empty host name. Beside other records it is ignored. */
function isNullMx(records: readonly MxRecord[]): boolean {
  return records.length > 0 && records.every(({ exchange }) => isRootName(exchange))
}

const isRootName = (exchange: string): boolean => exchange === '' || exchange === '.'

/** RFC 5321 §5.1: by preference; equal preferences in random order. Drops names that are not host names. */
function sortMxHosts(records: readonly MxRecord[], random: () => number): string[] {
  const sorted = shuffle(records, random).sort((first, second) => first.preference - second.preference)
  const names = sorted.map(({ exchange }) => (isRootName(exchange) ? null : normaliseDomain(exchange)))
  return [...new Set(names.filter((name) => name !== null))]
}

interface HostToResolve extends SmartHost, Pick<HopFacts, 'foundBy' | 'authentic'> {
  /**
   * The names of the domain whose MX records name the host; the host's certificate may also be for one of these names.
   */
  mxDomains: readonly string[]
}

interface LookupOptions extends Pick<RoutingOptions, 'dane'> {
  isAllowed: (ip: string) => boolean
}

async function findHopsOfHosts(
  hosts: readonly HostToResolve[],
  resolver: Resolver,
  lookupOptions: LookupOptions & {
    /** The reply's text when no host has a permitted address. */ noAddressText: string
  },
): Promise<NextHopsResult> {
  // All hosts are resolved concurrently: a silent name server of one host must not delay the others.
  const results = await Promise.all(
    hosts.slice(0, maxAddresses).map((host) => resolveHost(host, resolver, lookupOptions)),
  )
  const failure = results.find((each) => each.failure !== null)?.failure ?? null
  const hops = results.flatMap((each) => each.hops)
  if (hops.length > 0) return { kind: 'Found', hops: hops.slice(0, maxAddresses) }
  return notFound(failure ?? reply(451, '4.4.312', lookupOptions.noAddressText))
}

interface LookupResult {
  hops: NextHop[]
  /** Set when the query for A or AAAA failed, even if the other query succeeded. */
  failure: Reply | null
  /** Whether the host has any address, permitted or not. */
  isFound: boolean
}

async function resolveHost(
  { host, port, foundBy, authentic, mxDomains }: HostToResolve,
  resolver: Resolver,
  { dane, isAllowed }: LookupOptions,
): Promise<LookupResult> {
  const common = { host, port, foundBy, authentic }
  if (isIP(host)) return { hops: [{ ...common, ip: host, dane: noDane }], failure: null, isFound: true }
  const { ips, failure, proof } = await resolveAddresses(host, resolver)
  const usable = ips.filter(isAllowed)
  // An unproven MX record may be an attacker's: TLSA records of its host would prove nothing.
  const shouldQueryTlsa = dane && authentic && usable.length > 0
  const daneResult = shouldQueryTlsa ? await findDane({ host, port, mxDomains, ...proof }, resolver) : noDane
  return { hops: usable.map((ip) => ({ ...common, ip, dane: daneResult })), failure, isFound: ips.length > 0 }
}

interface Addresses {
  ips: string[]
  failure: Reply | null
  proof: { secure: boolean; canonicalName: string }
}

/**
 * IPv4 first: Lambda reaches IPv6 only in a VPC with IPv6. When one of the two queries fails, the addresses of the
 * other suffice.
 */
export async function resolveAddresses(host: string, resolver: Resolver): Promise<Addresses> {
  const answers = await Promise.all([resolver.query(host, 'A'), resolver.query(host, 'AAAA')])
  const foundAnswers = answers.filter((answer) => answer.kind === 'Found')
  const best = foundAnswers.find(({ secure }) => secure) ?? foundAnswers[0]
  const failed = answers.find((answer) => answer.kind === 'Failed')
  return {
    ips: foundAnswers.flatMap(({ records }) => records),
    failure: failed ? dnsFailureReply(`addresses of ${host}`, failed) : null,
    proof: { secure: best?.secure ?? false, canonicalName: best?.name ?? host },
  }
}

function shuffle<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((first, second) => first.at - second.at)
    .map(({ item }) => item)
}

const notFound = (answer: Reply): NextHopsResult => ({ kind: 'NotFound', reply: answer })

const noSuchDomainReply = (domain: string): Reply =>
  reply(550, '5.1.2', `${domain} does not exist or has no mail server`)
