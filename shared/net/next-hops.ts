/**
 * The addresses of a route's next hops, best first. The attack (SSRF): a recipient domain's DNS leads into the
 * deployment's network or to a metadata service (169.254.169.254). The defence: an address found through MX must be
 * public, or in a network that the deployment lists; the connection is made to the checked address. Smart hosts are the
 * administrator's own choice and may be anywhere.
 */
import { isIP } from 'node:net'
import type { Route, SmartHost } from '../contract/jobs.ts'
import type { Reply } from '../contract/message.ts'
import { normaliseDomain } from '../mail/domain.ts'
import { reply } from '../mail/reply.ts'
import type { HopFacts } from '../policy/transport-security.ts'
import { addressFilter } from './address-filter.ts'
import { dnsFailed, findDane, noDane } from './find-dane.ts'
import type { Endpoint } from './gated-connection.ts'
import type { Exchange, Resolver } from './resolver.ts'

export interface NextHop extends Endpoint, Omit<HopFacts, 'domain'> {}

export interface RoutingOptions {
  /** CIDRs of private networks to which an MX host may resolve. */
  privateNetworks: readonly string[]
  /** Whether to look for TLSA records of the hosts (RFC 7672). */
  dane: boolean
  /** In [0, 1); spreads load among hosts of equal preference. */
  random: () => number
  /** The attempt's limit. */
  signal: AbortSignal
}

export type NextHops = { kind: 'Found'; hops: NextHop[] } | { kind: 'NotFound'; reply: Reply }

export type SmtpRoute = Extract<Route, { kind: 'Mx' | 'SmartHosts' }>

/** Addresses and hosts per attempt (RFC 5321 §5.1 permits a limit). */
const mostAddresses = 10
/** Milliseconds for all DNS queries of an attempt: silent name servers must not use up the attempt's time. */
const longestLookup = 30_000
const smtpPort = 25

/** @returns at most ten addresses in the order to try them; else a 4yz reply for a temporary failure, or 5yz */
export async function findNextHops(
  route: SmtpRoute,
  resolver: Resolver,
  options: RoutingOptions,
): Promise<NextHops> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(longestLookup)])
  const bounded = boundedBy(signal, resolver)
  return route.kind === 'Mx'
    ? hopsOfDomain(route.domain, bounded, options)
    : hopsOf(shuffled(route.hosts, options.random).map(asHost), bounded, {
        ...options,
        allowed: () => true,
        otherwise: 'The smart hosts have no address',
      })
}

/** A query that is late fails like one that no name server answers. */
function boundedBy(signal: AbortSignal, resolver: Resolver): Resolver {
  return {
    query: (name, type) =>
      new Promise((resolve, reject) => {
        const late = () => resolve({ kind: 'Failed', code: 'ETIMEOUT', bogus: false })
        if (signal.aborted) return late()
        signal.addEventListener('abort', late, { once: true })
        resolver.query(name, type, signal).then((answer) => {
          signal.removeEventListener('abort', late)
          resolve(answer)
        }, reject)
      }),
  }
}

/** The administrator names the host, so it needs no DNSSEC proof. */
const asHost = (smartHost: SmartHost): Host => ({
  ...smartHost,
  foundBy: 'SmartHost',
  authentic: true,
  standsFor: [],
})

async function hopsOfDomain(domain: string, resolver: Resolver, options: RoutingOptions): Promise<NextHops> {
  const answer = await resolver.query(domain, 'MX')
  if (answer.kind === 'NoSuchName') return notFound(noSuchDomain(domain))
  if (answer.kind === 'Failed') return notFound(dnsFailed(`MX of ${domain}`, answer))
  const allowed = addressFilter(options.privateNetworks)
  if (answer.kind === 'NoData') return hopsOfImplicitMx(domain, resolver, { ...options, allowed })
  if (isNullMx(answer.records)) return notFound(reply(556, '5.1.10', `${domain} accepts no mail (null MX)`))
  const found = {
    foundBy: 'Mx',
    port: smtpPort,
    authentic: answer.secure,
    standsFor: answer.name === domain ? [domain] : [domain, answer.name],
  } as const
  const hosts = exchangesInOrder(answer.records, options.random).map((host) => ({ ...found, host }))
  const otherwise = `No mail exchanger of ${domain} has an address that may be used`
  return hopsOf(hosts, resolver, { ...options, allowed, otherwise })
}

/**
 * RFC 5321 §5.1: only without any MX record is the domain itself the mail exchanger. Hiding the records leads to no
 * other name, so they need no proof.
 */
async function hopsOfImplicitMx(domain: string, resolver: Resolver, options: Choice): Promise<NextHops> {
  const host = { host: domain, port: smtpPort, foundBy: 'Domain', authentic: true, standsFor: [] } as const
  const { hops, failure, isFound } = await lookUp(host, resolver, options)
  if (hops.length > 0) return { kind: 'Found', hops: hops.slice(0, mostAddresses) }
  if (!isFound) return notFound(failure ?? noSuchDomain(domain))
  return notFound(reply(451, '4.4.312', `${domain} has no address that may be used`))
}

/** RFC 7505 §3: null MX is a single record with an empty exchange. Beside other records it is ignored. */
function isNullMx(records: readonly Exchange[]): boolean {
  return records.length > 0 && records.every(({ exchange }) => isRoot(exchange))
}

const isRoot = (exchange: string): boolean => exchange === '' || exchange === '.'

/** RFC 5321 §5.1: by preference; equal preferences in random order. */
function exchangesInOrder(records: readonly Exchange[], random: () => number): string[] {
  const usable = shuffled(records, random).sort((one, other) => one.preference - other.preference)
  const names = usable.map(({ exchange }) => (isRoot(exchange) ? null : normaliseDomain(exchange)))
  return [...new Set(names.filter((name) => name !== null))]
}

interface Host extends SmartHost, Pick<HopFacts, 'foundBy' | 'authentic'> {
  /** The names of the domain whose MX records name the host; its certificate may be for them too. */
  standsFor: readonly string[]
}

interface Choice extends Pick<RoutingOptions, 'dane'> {
  allowed: (ip: string) => boolean
}

async function hopsOf(
  hosts: readonly Host[],
  resolver: Resolver,
  choice: Choice & { /** The reply's text when no host has a permitted address. */ otherwise: string },
): Promise<NextHops> {
  // Concurrently: a silent name server of one host must not delay the others.
  const found = await Promise.all(hosts.slice(0, mostAddresses).map((host) => lookUp(host, resolver, choice)))
  const failure = found.find((each) => each.failure !== null)?.failure ?? null
  const hops = found.flatMap((each) => each.hops)
  if (hops.length > 0) return { kind: 'Found', hops: hops.slice(0, mostAddresses) }
  return notFound(failure ?? reply(451, '4.4.312', choice.otherwise))
}

interface LookedUp {
  hops: NextHop[]
  /** Set when a query failed, even if another succeeded. */
  failure: Reply | null
  /** Whether the host has any address, permitted or not. */
  isFound: boolean
}

async function lookUp(
  { host, port, foundBy, authentic, standsFor }: Host,
  resolver: Resolver,
  { dane, allowed }: Choice,
): Promise<LookedUp> {
  const common = { host, port, foundBy, authentic }
  if (isIP(host)) return { hops: [{ ...common, ip: host, dane: noDane }], failure: null, isFound: true }
  const { ips, failure, proof } = await addressesOf(host, resolver)
  const usable = ips.filter(allowed)
  // An unproven MX record may be an attacker's: TLSA records of its host would prove nothing.
  const asked = dane && authentic && usable.length > 0
  const facts = asked ? await findDane({ host, port, standsFor, ...proof }, resolver) : noDane
  return { hops: usable.map((ip) => ({ ...common, ip, dane: facts })), failure, isFound: ips.length > 0 }
}

interface Addresses {
  ips: string[]
  failure: Reply | null
  proof: { secure: boolean; expanded: string }
}

/** IPv4 first: Lambda reaches IPv6 only in a VPC that has it. One address family suffices. */
async function addressesOf(host: string, resolver: Resolver): Promise<Addresses> {
  const answers = await Promise.all([resolver.query(host, 'A'), resolver.query(host, 'AAAA')])
  const found = answers.filter((answer) => answer.kind === 'Found')
  const best = found.find(({ secure }) => secure) ?? found[0]
  const failed = answers.find((answer) => answer.kind === 'Failed')
  return {
    ips: found.flatMap(({ records }) => records),
    failure: failed ? dnsFailed(`addresses of ${host}`, failed) : null,
    proof: { secure: best?.secure ?? false, expanded: best?.name ?? host },
  }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item)
}

const notFound = (answer: Reply): NextHops => ({ kind: 'NotFound', reply: answer })

const noSuchDomain = (domain: string): Reply =>
  reply(550, '5.1.2', `${domain} does not exist or has no mail server`)
