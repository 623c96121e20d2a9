/**
 * Checks whether a chain's certificates are revoked. The attack: an attacker uses a stolen key whose certificate was
 * revoked, to receive mail or to send it. The defence: the CRLs and OCSP responders of each certificate are queried. A
 * response signed by the certificate's issuer is cached while it is valid, so blocking the responders during that time
 * has no effect. Not covered: when an attacker blocks the responders from the start, the status is `Unknown`, and the
 * connector decides whether mail is accepted or sent. A certificate that names neither CRL nor OCSP responder is
 * `Good`.
 */
import type { X509Certificate } from 'node:crypto'
import { concurrencyLimiter } from '../../limits/concurrency-limiter.ts'
import { RecentMap } from '../../limits/recent-map.ts'
import { fingerprintOf } from '../../tls/fingerprint.ts'
import { type ChainLink, linksOf } from '../../tls/revocation/links.ts'
import type { RevocationQuery } from '../../tls/revocation/reported-revocation.ts'
import type { Revocation, RevocationSource } from '../../tls/revocation/status.ts'
import { raceWithSignal } from '../race-with-signal.ts'
import type { UntrustedRequestOptions } from '../untrusted-request.ts'
import { parseAnchors, parseChain } from './anchors.ts'
import { querySource, type SourceLocation, sourceLocationsOf } from './query-source.ts'
import type { CachedSource, RevocationStore, SourceKey } from './revocation-store.ts'
import { chooseBetter, isDecisive, updateCached } from './timing.ts'

export interface RevocationOptions extends Omit<UntrustedRequestOptions, 'limits' | 'signal'> {
  store: RevocationStore
  /** Limits the CRLs that are fetched at the same time: each may need forty megabytes of memory. Further CRLs wait. */
  maxConcurrentCrls?: number
  now(): Date
}

export interface ChainQuestion {
  /** The certificates as presented, leaf first. */
  chain: readonly X509Certificate[]
  /** The trust anchors: the public roots, or the authorities of a connector. They are not checked. */
  anchors: readonly X509Certificate[]
  /** The time for which the status is requested. */
  at: Date
}

export interface CheckedCertificate extends Revocation {
  subject: string
  fingerprint256: string
  /** The queried sources, in the order of the queries. */
  sources: RevocationSource[]
}

export interface CheckedChain extends Revocation {
  certificates: CheckedCertificate[]
}

export interface EncodedChain {
  /** The certificates as presented, leaf first, as base64 DER. */
  chain: readonly string[]
  /**
   * The trust anchors as PEM; empty means the public roots. Pass the same array each time: parsed anchors are cached by
   * its identity.
   */
  authorities: readonly string[]
  at: Date
}

/** Limits the check of a whole chain. */
export const chainTimeoutMs = 3_000
/** After this time without a result, the next source is also queried. */
const nextSourceDelayMs = 1_000
/** Limits the OCSP responders, and separately the CRLs, that are queried for one certificate. */
const maxSourcesPerKind = 2
const maxCachedResults = 1_000
const maxPendingRequests = 16
const defaultConcurrentCrls = 3

export class RevocationChecker {
  readonly #options: RevocationOptions
  readonly #cache = new RecentMap<string, CachedSource>(maxCachedResults)
  readonly #pending = new Map<string, Promise<RevocationSource>>()
  readonly #crlLimiter: ReturnType<typeof concurrencyLimiter>

  constructor(options: RevocationOptions) {
    this.#options = options
    this.#crlLimiter = concurrencyLimiter(options.maxConcurrentCrls ?? defaultConcurrentCrls)
  }

  /** Never throws. Requests that are pending at the timeout continue, and the next call uses their results. */
  async check({ chain, anchors, at }: ChainQuestion, callerSignal?: AbortSignal): Promise<CheckedChain> {
    if (chain.length === 0) return unreadableChain
    const signal = AbortSignal.any([
      AbortSignal.timeout(chainTimeoutMs),
      ...(callerSignal ? [callerSignal] : []),
    ])
    try {
      const links = linksOf(chain, anchors)
      const certificates = await Promise.all(links.map((link) => this.#checkCertificate(link, at, signal)))
      return { ...combineCertificates(certificates), certificates }
    } catch {
      return unreadableChain
    }
  }

  /** Like `check`, for a chain as base64 DER and trust anchors as PEM. */
  async checkSession(
    { chain, authorities, at }: EncodedChain,
    callerSignal?: AbortSignal,
  ): Promise<Revocation> {
    const anchors = parseAnchors(authorities)
    const { status, detail } = await this.check({ chain: parseChain(chain), anchors, at }, callerSignal)
    return { status, detail }
  }

  /** Waits for pending requests, so that a frozen Lambda function does not lose them. */
  async waitForPending(limitMs: number): Promise<void> {
    await raceWithSignal(Promise.allSettled(this.#pending.values()), AbortSignal.timeout(limitMs))
  }

  async #checkCertificate(
    { certificate, issuer }: ChainLink,
    at: Date,
    signal: AbortSignal,
  ): Promise<CheckedCertificate> {
    const locations = limitSources(sourceLocationsOf(certificate))
    const sources =
      issuer === null
        ? locations.map((location) => withoutResult(location, 'its issuer is not known'))
        : await this.#queryUntilDecisive(locations, { certificate, issuer, at }, signal)
    return {
      subject: (certificate.subject ?? '').replaceAll('\n', ', ').slice(0, 300).toWellFormed(),
      fingerprint256: fingerprintOf(certificate),
      ...combineSources(sources),
      sources,
    }
  }

  /**
   * Queries the sources in order until a result is decisive. Queries the next source when the previous source is slow
   * or has no result.
   */
  async #queryUntilDecisive(
    locations: readonly SourceLocation[],
    question: RevocationQuery,
    signal: AbortSignal,
  ): Promise<RevocationSource[]> {
    const results = new Map<SourceLocation, RevocationSource>()
    const running: Promise<void>[] = []
    const { promise: decided, resolve: decide } = Promise.withResolvers<void>()
    for (const location of locations) {
      const pendingQuery = this.#querySource(location, question, signal).then((source) => {
        results.set(location, source)
        if (isDecisive(source)) decide()
      })
      running.push(pendingQuery)
      await raceWithSignal(pendingQuery, AbortSignal.any([signal, AbortSignal.timeout(nextSourceDelayMs)]))
      if (signal.aborted || [...results.values()].some(isDecisive)) break
    }
    await raceWithSignal(Promise.race([decided, Promise.all(running)]), signal)
    return locations
      .slice(0, running.length)
      .map((location) => results.get(location) ?? withoutResult(location, 'it has not answered yet'))
  }

  async #querySource(
    location: SourceLocation,
    question: RevocationQuery,
    signal: AbortSignal,
  ): Promise<RevocationSource> {
    const key = { ...location, fingerprint: fingerprintOf(question.certificate) }
    const cachedResult = this.#cache.get(cacheKey(key))
    if (cachedResult && this.#now() < cachedResult.renewAt) return cachedResult.source
    const pendingQuery = this.#joinOrStart(key, location, question)
    if (pendingQuery === null) return withoutResult(location, 'too many requests are pending')
    return (await raceWithSignal(pendingQuery, signal)) ?? withoutResult(location, 'it has not answered yet')
  }

  /** Joins a pending request with the same key. @returns null when too many are pending */
  #joinOrStart(
    key: SourceKey,
    location: SourceLocation,
    question: RevocationQuery,
  ): Promise<RevocationSource> | null {
    const name = cacheKey(key)
    const pending = this.#pending.get(name)
    if (pending) return pending
    if (this.#pending.size >= maxPendingRequests) return null
    const pendingQuery = this.#refresh(key, location, question).finally(() => this.#pending.delete(name))
    this.#pending.set(name, pendingQuery)
    return pendingQuery
  }

  async #refresh(
    key: SourceKey,
    location: SourceLocation,
    question: RevocationQuery,
  ): Promise<RevocationSource> {
    let isStoreRead = true
    const stored = await this.#options.store.read(key).catch(() => {
      isStoreRead = false
      return null
    })
    const previous = chooseBetter(stored, this.#cache.get(cacheKey(key)) ?? null, this.#now())
    if (previous !== null && this.#now() < previous.renewAt) return this.#cacheResult(key, previous)
    const query = () => querySource(location, question, this.#options)
    const result = await (location.kind === 'Crl' ? this.#crlLimiter(query) : query())
    const cached = updateCached(result, previous, this.#now())
    // A missing result must not replace a stored result that could not be read.
    if (isStoreRead || isDecisive(cached.source)) await this.#options.store.save(key, cached).catch(() => {})
    return this.#cacheResult(key, cached)
  }

  #cacheResult(key: SourceKey, cached: CachedSource): RevocationSource {
    this.#cache.set(cacheKey(key), cached)
    return cached.source
  }

  #now(): number {
    return this.#options.now().getTime()
  }
}

const limitSources = (locations: readonly SourceLocation[]): SourceLocation[] =>
  (['Ocsp', 'Crl'] as const).flatMap((sourceKind) =>
    locations.filter(({ kind }) => kind === sourceKind).slice(0, maxSourcesPerKind),
  )

const unreadableChain: CheckedChain = {
  status: 'Unknown',
  detail: 'the chain cannot be read',
  certificates: [],
}

const cacheKey = ({ fingerprint, kind, url }: SourceKey): string => `${fingerprint} ${kind} ${url}`

const withoutResult = (location: SourceLocation, detail: string): RevocationSource => ({
  ...location,
  status: 'Unknown',
  detail,
  nextUpdate: null,
})

/**
 * The status of a decisive source, `Revoked` before `Good`. Without sources it is `Good`, without a decisive source
 * `Unknown`.
 */
function combineSources(sources: readonly RevocationSource[]): Revocation {
  const decisive =
    sources.find(({ status }) => status === 'Revoked') ?? sources.find(({ status }) => status === 'Good')
  if (decisive) return { status: decisive.status, detail: decisive.detail }
  if (sources.length === 0) return { status: 'Good', detail: 'it names no CRL or OCSP responder' }
  return { status: 'Unknown', detail: sources.map(({ url, detail }) => `${url}: ${detail}`).join('; ') }
}

function combineCertificates(certificates: readonly CheckedCertificate[]): Revocation {
  const worst =
    certificates.find(({ status }) => status === 'Revoked') ??
    certificates.find(({ status }) => status === 'Unknown')
  if (worst) return { status: worst.status, detail: `${worst.subject}: ${worst.detail}`.slice(0, 500) }
  return { status: 'Good', detail: certificates.map(({ detail }) => detail)[0] ?? 'no certificate to check' }
}
