/**
 * The MTA-STS policy that applies to a domain now (RFC 8461 §5.1). The attack: an attacker between mailflow and a
 * domain's name servers or policy host suppresses the policy or its renewal, to take the mail. The defence: a fetched
 * policy applies until its own end, whatever DNS and the host say later, and is renewed daily, long before that. A
 * store that cannot be read does not count as an empty one. The limit: the first contact.
 *
 * Each call queries the TXT record, and fetches a policy with a new id before it returns. So no attempt fails because
 * of a policy that was not confirmed within the same attempt (RFC 8461 §5).
 */
import { hourMs } from '../../contract/durations.ts'
import { errorMessage } from '../../contract/error-message.ts'
import type { TlsResult } from '../../contract/tls-result.ts'
import { RateLimiter } from '../../limits/rate-limiter.ts'
import { normaliseDomain } from '../../mail/domain.ts'
import { type MtaSts, type MtaStsPolicy, noMtaSts } from '../../policy/transport-security.ts'
import type { ForeignOptions } from '../foreign-exchange.ts'
import { raceWithSignal } from '../in-time.ts'
import { fetchLimits, fetchPolicy } from './fetch.ts'
import type { KeptPolicy, KnownOfDomain, PolicyStore } from './policy-store.ts'
import { announcedId } from './record.ts'
import { Remembered } from './remembered.ts'
import { holds, isDue, isPaused, later, withoutOver } from './timing.ts'

export interface MtaStsOptions extends Omit<ForeignOptions, 'limits'> {
  store: PolicyStore
  now(): Date
  /** Logs a failure: a policy that is not renewed for long may be under attack (RFC 8461 §3.3). */
  told(trouble: PolicyTrouble): void
}

export interface PolicyTrouble {
  domain: string
  /** For people. */
  what: string
  /** The mode of the policy that still applies. */
  inForce: MtaStsPolicy['mode'] | null
}

/** Milliseconds for the DNS query. */
const longestLookup = 15_000
/** Milliseconds that an attempt waits for a new policy while an earlier one applies. */
const patience = 10_000
/** Cached as expired, so that the next call reads the store again. */
const longAgo = 0

type Found = { kind: 'Policy'; policy: KeptPolicy } | { kind: 'Failed'; fault: Fault }

export class MtaStsSource {
  readonly #options: MtaStsOptions
  readonly #remembered = new Remembered()
  readonly #fetches = new Map<string, Promise<Found>>()
  readonly #tellings = new RateLimiter(1, hourMs)

  constructor(options: MtaStsOptions) {
    this.#options = options
  }

  /** Never throws. Work that takes longer than the signal allows continues. */
  async policyFor(recipientDomain: string, signal: AbortSignal): Promise<MtaSts> {
    const domain = normaliseDomain(recipientDomain)
    if (domain === null || normaliseDomain(nameOfRecord(domain)) === null) return noMtaSts
    const [announced, { known, isCertain }] = await Promise.all([
      this.#announced(domain, signal),
      this.#known(domain, signal),
    ])
    const { policy: held } = withoutOver(known, this.#now())
    const without = (found: MtaSts) => (isCertain ? found : unknown)
    if (announced.kind === 'Unknown')
      return held
        ? this.#unconfirmed(domain, known, held, announced.why)
        : without(none(fetchError(announced.why)))
    if (announced.id === null) return held ? this.#withdrawn(domain, held) : without(noMtaSts)
    if (held?.id === announced.id) {
      this.#renewIfDue(domain, known, held)
      return inForce(held, known.failure)
    }
    const found = await this.#fetchInTime(domain, announced.id, held, signal)
    if (found.kind === 'Policy') return inForce(found.policy)
    return held ? inForce(held, found.fault) : without(none(found.fault))
  }

  /** Waits for pending fetches, so that a frozen Lambda function does not lose them. */
  async settled(limitMs: number): Promise<void> {
    await raceWithSignal(Promise.allSettled(this.#fetches.values()), AbortSignal.timeout(limitMs))
  }

  async #announced(domain: string, signal: AbortSignal): Promise<Announced> {
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(longestLookup)])
    const answer = await this.#options.resolver.query(nameOfRecord(domain), 'TXT', inTime)
    if (answer.kind === 'Failed')
      return {
        kind: 'Unknown',
        why: `DNS failed for the TXT record of ${nameOfRecord(domain)}: ${answer.code}`,
      }
    return { kind: 'Known', id: answer.kind === 'Found' ? announcedId(answer.records) : null }
  }

  async #known(domain: string, signal: AbortSignal): Promise<Reading> {
    const fresh = this.#remembered.fresh(domain, this.#now())
    if (fresh !== null && (fresh.policy === null || holds(fresh.policy, this.#now())))
      return { known: fresh, isCertain: true }
    // Another worker may have renewed an expired policy.
    const read = await raceWithSignal(this.#read(domain), signal)
    return read ?? { known: this.#remembered.last(domain), isCertain: false }
  }

  async #read(domain: string): Promise<Reading> {
    try {
      const read = await this.#options.store.read(domain)
      const known = withoutOver(later(this.#remembered.last(domain), read), this.#now())
      this.#remembered.remember(domain, known, this.#now())
      return { known, isCertain: true }
    } catch (error) {
      const own = withoutOver(this.#remembered.last(domain), this.#now())
      this.#tell(
        domain,
        `The MTA-STS policies cannot be read from the table: ${errorMessage(error)}`,
        own.policy,
      )
      return { known: own, isCertain: false }
    }
  }

  /** DNS does not say whether a new policy exists, but the policy host may. */
  #unconfirmed(domain: string, known: KnownOfDomain, held: KeptPolicy, why: string): MtaSts {
    this.#tellHourly(domain, why, held)
    this.#renewIfDue(domain, known, held)
    return inForce(held, fetchError(why))
  }

  /** RFC 8461 §3.1: a missing record removes no policy. It expires; mode `none` ends it at once. */
  #withdrawn(domain: string, held: KeptPolicy): MtaSts {
    this.#tellHourly(domain, `The TXT record at ${nameOfRecord(domain)} no longer exists`, held)
    return inForce(held)
  }

  /** In the background: the attempt neither waits nor fails for it. */
  #renewIfDue(domain: string, { failure }: KnownOfDomain, held: KeptPolicy): void {
    const now = this.#now()
    if (isDue(held, now) && !isPaused(failure, held.id, now)) void this.#renew(domain, held.id)
  }

  async #fetchInTime(
    domain: string,
    id: string,
    held: KeptPolicy | null,
    signal: AbortSignal,
  ): Promise<Found> {
    const limits = held === null ? [signal] : [signal, AbortSignal.timeout(patience)]
    const found = await raceWithSignal(this.#fetchNew(domain, id), AbortSignal.any(limits))
    return found ?? { kind: 'Failed', fault: fetchError('The policy host took too long') }
  }

  #fetchNew(domain: string, id: string): Promise<Found> {
    return this.#once(`${domain} ${id}`, () => this.#fetchUnless((known) => known.id === id, domain, id))
  }

  #renew(domain: string, id: string): Promise<Found> {
    return this.#once(domain, () => this.#fetchUnless((known) => !isDue(known, this.#now()), domain, id))
  }

  /** Never rejects. Joins a pending fetch with the same key. */
  #once(key: string, fetch: () => Promise<Found>): Promise<Found> {
    const begun = this.#fetches.get(key)
    if (begun !== undefined) return begun
    const fetching = fetch()
      .catch((error): Found => ({ kind: 'Failed', fault: fetchError(errorMessage(error)) }))
      .finally(() => this.#fetches.delete(key))
    this.#fetches.set(key, fetching)
    return fetching
  }

  /** @param isEnough whether a policy that another worker has fetched meanwhile suffices */
  async #fetchUnless(isEnough: (policy: KeptPolicy) => boolean, domain: string, id: string): Promise<Found> {
    const reading = await this.#read(domain)
    const { known } = reading
    const now = this.#now()
    const { policy, failure } = known
    if (policy !== null && isEnough(policy)) return { kind: 'Policy', policy }
    if (failure !== null && isPaused(failure, id, now)) return { kind: 'Failed', fault: failure }
    const fetched = await fetchPolicy(domain, { ...this.#options, limits: fetchLimits })
    if (fetched.kind === 'Failed') return this.#failed(domain, reading, { ...fetched, id })
    return this.#fetched(domain, known, {
      ...fetched.policy,
      id,
      fetchedAt: now,
      validUntil: now + fetched.policy.maxAge * 1000,
    })
  }

  async #fetched(domain: string, known: KnownOfDomain, policy: KeptPolicy): Promise<Found> {
    this.#remembered.remember(domain, later(known, { policy, failure: null }), this.#now())
    await this.#write(domain, policy, (store) => store.keep(domain, policy))
    return { kind: 'Policy', policy }
  }

  async #failed(
    domain: string,
    { known, isCertain }: Reading,
    { id, result, detail }: { id: string; result: TlsResult; detail: string },
  ): Promise<Found> {
    const now = this.#now()
    const failure = { id, at: now, result, detail }
    const held = known.policy
    // What could not be read may exist: the next call reads again.
    this.#remembered.remember(domain, { ...known, failure }, isCertain ? now : longAgo)
    this.#tell(domain, detail, held)
    await this.#write(domain, held, (store) => store.noteFailure(domain, failure))
    return { kind: 'Failed', fault: failure }
  }

  async #write(
    domain: string,
    held: KeptPolicy | null,
    write: (store: PolicyStore) => Promise<void>,
  ): Promise<void> {
    try {
      await write(this.#options.store)
    } catch (error) {
      this.#tell(domain, `The MTA-STS policies cannot be written to the table: ${errorMessage(error)}`, held)
    }
  }

  #tellHourly(domain: string, what: string, held: KeptPolicy): void {
    const now = this.#options.now()
    if (held.mode === 'none' || !this.#tellings.isLeft(domain, now)) return
    this.#tellings.take(domain, now)
    this.#tell(domain, what, held)
  }

  #tell(domain: string, what: string, held: KeptPolicy | null): void {
    this.#options.told({ domain, what, inForce: held?.mode ?? null })
  }

  #now(): number {
    return this.#options.now().getTime()
  }
}

type Announced =
  | { kind: 'Known'; id: string | null }
  /** DNS gave no answer. */
  | { kind: 'Unknown'; why: string }

const nameOfRecord = (domain: string): string => `_mta-sts.${domain}`

interface Fault {
  result: TlsResult
  detail: string
}

/** A policy in mode `none` requires nothing, so its failed renewal is no fault (RFC 8461 §6). */
const inForce = ({ id, mode, mx, maxAge }: KeptPolicy, fault: Fault | null = null): MtaSts => ({
  kind: 'Policy',
  policy: { id, mode, mx, maxAge },
  fault: fault && mode !== 'none' ? { result: fault.result, detail: fault.detail } : null,
})

/** The stored state of a domain; `isCertain` is false when it could not be read and comes from the cache. */
interface Reading {
  known: KnownOfDomain
  isCertain: boolean
}

const unknown: MtaSts = { kind: 'Unknown' }

const none = ({ result, detail }: Fault): MtaSts => ({ kind: 'None', fault: { result, detail } })

const fetchError = (detail: string) => ({ result: 'sts-policy-fetch-error' as const, detail })
