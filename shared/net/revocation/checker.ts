/**
 * Checks whether a chain's certificates are revoked. The attack: an attacker uses a stolen key whose certificate was
 * revoked, to receive mail or to send it. The defence: the CRLs and OCSP responders of each certificate are asked. A
 * response signed by its issuer is cached while it is valid, so blocking them later has no effect. The limits: an
 * attacker who blocks them from the start leaves `Unknown`, and the connector decides what that means; a certificate
 * without CRL and OCSP responder counts as good.
 */
import type { X509Certificate } from 'node:crypto'
import { concurrencyLimiter } from '../../limits/concurrency-limiter.ts'
import { RecentMap } from '../../limits/recent-map.ts'
import { fingerprintOf } from '../../tls/fingerprint.ts'
import { type Link, linksOf } from '../../tls/revocation/links.ts'
import type { Revocation, RevocationSource } from '../../tls/revocation/status.ts'
import type { Question } from '../../tls/revocation/told.ts'
import type { ForeignOptions } from '../foreign-exchange.ts'
import { raceWithSignal } from '../in-time.ts'
import { anchorsOf, certificatesOf } from './anchors.ts'
import { askSource, type Place, placesOf } from './ask-source.ts'
import type { KeptSource, RevocationStore, SourceKey } from './revocation-store.ts'
import { afterAsking, better, isDecided } from './timing.ts'

export interface RevocationOptions extends Omit<ForeignOptions, 'limits' | 'signal'> {
  store: RevocationStore
  /** CRLs fetched at the same time: each may need forty megabytes of memory. The others wait. */
  listsAtOnce?: number
  now(): Date
}

export interface ChainQuestion {
  /** As presented, leaf first. */
  chain: readonly X509Certificate[]
  /** The trust anchors: the public roots, or a connector's own. They are not checked. */
  anchors: readonly X509Certificate[]
  /** The time for which the status is requested. */
  at: Date
}

export interface CheckedCertificate extends Revocation {
  subject: string
  fingerprint256: string
  /** The sources asked, in that order. */
  sources: RevocationSource[]
}

export interface CheckedChain extends Revocation {
  certificates: CheckedCertificate[]
}

export interface ChainToCheck {
  /** As presented, leaf first, base64 DER. */
  chain: readonly string[]
  /**
   * The trust anchors, PEM; empty means the public roots. Pass the same array each time: parsed anchors are cached by
   * it.
   */
  authorities: readonly string[]
  at: Date
}

/** Milliseconds for a whole chain. */
export const patience = 3_000
/** Milliseconds before the next source is asked at the same time. */
const headStart = 1_000
/** Sources per kind and certificate. */
const mostPlaces = 2
const mostRemembered = 1_000
/** Pending requests. */
const mostAtOnce = 16
const usualLists = 3

export class RevocationChecker {
  readonly #options: RevocationOptions
  readonly #remembered = new RecentMap<string, KeptSource>(mostRemembered)
  readonly #asking = new Map<string, Promise<RevocationSource>>()
  readonly #lists: ReturnType<typeof concurrencyLimiter>

  constructor(options: RevocationOptions) {
    this.#options = options
    this.#lists = concurrencyLimiter(options.listsAtOnce ?? usualLists)
  }

  /** Never throws. Requests that take longer continue, and the next call uses their results. */
  async check({ chain, anchors, at }: ChainQuestion, ended?: AbortSignal): Promise<CheckedChain> {
    if (chain.length === 0) return unreadable
    const signal = AbortSignal.any([AbortSignal.timeout(patience), ...(ended ? [ended] : [])])
    try {
      const links = linksOf(chain, anchors)
      const certificates = await Promise.all(links.map((link) => this.#certificate(link, at, signal)))
      return { ...ofChain(certificates), certificates }
    } catch {
      return unreadable
    }
  }

  /** Like check, for the PEM and base64 of a session. */
  async ofSession({ chain, authorities, at }: ChainToCheck, ended?: AbortSignal): Promise<Revocation> {
    const anchors = anchorsOf(authorities)
    const { status, detail } = await this.check({ chain: certificatesOf(chain), anchors, at }, ended)
    return { status, detail }
  }

  /** Waits for pending requests, so that a frozen Lambda function does not lose them. */
  async settled(limitMs: number): Promise<void> {
    await raceWithSignal(Promise.allSettled(this.#asking.values()), AbortSignal.timeout(limitMs))
  }

  async #certificate(
    { certificate, issuer }: Link,
    at: Date,
    signal: AbortSignal,
  ): Promise<CheckedCertificate> {
    const places = few(placesOf(certificate))
    const sources =
      issuer === null
        ? places.map((place) => silent(place, 'its issuer is not known'))
        : await this.#anyOf(places, { certificate, issuer, at }, signal)
    return {
      subject: (certificate.subject ?? '').replaceAll('\n', ', ').slice(0, 300).toWellFormed(),
      fingerprint256: fingerprintOf(certificate),
      ...ofSources(sources),
      sources,
    }
  }

  /** Asks one source after another, the next when one is slow or has no result, until one is decisive. */
  async #anyOf(
    places: readonly Place[],
    question: Question,
    signal: AbortSignal,
  ): Promise<RevocationSource[]> {
    const answers = new Map<Place, RevocationSource>()
    const running: Promise<void>[] = []
    const { promise: decided, resolve: decide } = Promise.withResolvers<void>()
    for (const place of places) {
      const asking = this.#source(place, question, signal).then((source) => {
        answers.set(place, source)
        if (isDecided(source)) decide()
      })
      running.push(asking)
      await raceWithSignal(asking, AbortSignal.any([signal, AbortSignal.timeout(headStart)]))
      if (signal.aborted || [...answers.values()].some(isDecided)) break
    }
    await raceWithSignal(Promise.race([decided, Promise.all(running)]), signal)
    return places
      .slice(0, running.length)
      .map((place) => answers.get(place) ?? silent(place, 'it has not answered yet'))
  }

  async #source(place: Place, question: Question, signal: AbortSignal): Promise<RevocationSource> {
    const key = { ...place, fingerprint: fingerprintOf(question.certificate) }
    const remembered = this.#remembered.get(nameOf(key))
    if (remembered && this.#now() < remembered.renewAt) return remembered.source
    const asking = this.#once(key, place, question)
    if (asking === null) return silent(place, 'too many requests are pending')
    return (await raceWithSignal(asking, signal)) ?? silent(place, 'it has not answered yet')
  }

  /** Joins a pending request with the same key. @returns null when too many are pending */
  #once(key: SourceKey, place: Place, question: Question): Promise<RevocationSource> | null {
    const name = nameOf(key)
    const begun = this.#asking.get(name)
    if (begun) return begun
    if (this.#asking.size >= mostAtOnce) return null
    const asking = this.#find(key, place, question).finally(() => this.#asking.delete(name))
    this.#asking.set(name, asking)
    return asking
  }

  async #find(key: SourceKey, place: Place, question: Question): Promise<RevocationSource> {
    let isCertain = true
    const read = await this.#options.store.read(key).catch(() => {
      isCertain = false
      return null
    })
    const before = better(read, this.#remembered.get(nameOf(key)) ?? null, this.#now())
    if (before !== null && this.#now() < before.renewAt) return this.#remember(key, before)
    const ask = () => askSource(place, question, this.#options)
    const heard = await (place.kind === 'Crl' ? this.#lists(ask) : ask())
    const kept = afterAsking(heard, before, this.#now())
    // A missing result must not replace a stored one that could not be read.
    if (isCertain || isDecided(kept.source)) await this.#options.store.keep(key, kept).catch(() => {})
    return this.#remember(key, kept)
  }

  #remember(key: SourceKey, kept: KeptSource): RevocationSource {
    this.#remembered.set(nameOf(key), kept)
    return kept.source
  }

  #now(): number {
    return this.#options.now().getTime()
  }
}

const few = (places: readonly Place[]): Place[] =>
  (['Ocsp', 'Crl'] as const).flatMap((wanted) =>
    places.filter(({ kind }) => kind === wanted).slice(0, mostPlaces),
  )

const unreadable: CheckedChain = {
  status: 'Unknown',
  detail: 'the chain cannot be read',
  certificates: [],
}

const nameOf = ({ fingerprint, kind, url }: SourceKey): string => `${fingerprint} ${kind} ${url}`

const silent = (place: Place, detail: string): RevocationSource => ({
  ...place,
  status: 'Unknown',
  detail,
  nextUpdate: null,
})

/** Any decisive source counts, `Revoked` before `Good`. */
function ofSources(sources: readonly RevocationSource[]): Revocation {
  const found =
    sources.find(({ status }) => status === 'Revoked') ?? sources.find(({ status }) => status === 'Good')
  if (found) return { status: found.status, detail: found.detail }
  if (sources.length === 0) return { status: 'Good', detail: 'it names no CRL or OCSP responder' }
  return { status: 'Unknown', detail: sources.map(({ url, detail }) => `${url}: ${detail}`).join('; ') }
}

function ofChain(certificates: readonly CheckedCertificate[]): Revocation {
  const found =
    certificates.find(({ status }) => status === 'Revoked') ??
    certificates.find(({ status }) => status === 'Unknown')
  if (found) return { status: found.status, detail: `${found.subject}: ${found.detail}`.slice(0, 500) }
  return { status: 'Good', detail: certificates.map(({ detail }) => detail)[0] ?? 'no certificate to check' }
}
