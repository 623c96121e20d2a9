/**
 * The MTA-STS policy that applies to a domain now (RFC 8461 §5.1). The attack: an attacker between mailflow and a
 * domain's name servers or policy host suppresses the policy or its renewal, to receive the mail. The defence: a
 * fetched policy applies until it expires, whatever DNS and the host say later, and is renewed daily, long before it
 * expires. A store that cannot be read is not treated as empty. Not covered: the first contact with a domain.
 *
 * Each call queries the TXT record, and fetches a policy with a new id before it returns. So an attempt fails because
 * of a policy only after it has looked for a newer policy (RFC 8461 §5).
 */
import { hourMs } from '../../contract/durations.ts'
import { errorMessage } from '../../contract/error-message.ts'
import type { TlsResult } from '../../contract/tls-result.ts'
import { RateLimiter } from '../../limits/rate-limiter.ts'
import { normaliseDomain } from '../../mail/domain.ts'
import { type MtaStsPolicy, type MtaStsState, noMtaSts } from '../../policy/hop-facts.ts'
import { raceWithSignal } from '../race-with-signal.ts'
import type { UntrustedRequestOptions } from '../untrusted-request.ts'
import { fetchLimits, fetchPolicy } from './fetch.ts'
import { PolicyCache } from './policy-cache.ts'
import type { DomainState, PolicyStore, StoredPolicy } from './policy-store.ts'
import { parseRecordId } from './record.ts'
import { isRenewalDue, isRetryPaused, isValid, mergeLater, withoutExpired } from './timing.ts'

export interface MtaStsOptions extends Omit<UntrustedRequestOptions, 'limits'> {
  store: PolicyStore
  now(): Date
  /** Logs a failure: when a policy is not renewed for long, the cause may be an attack (RFC 8461 §3.3). */
  onFault(policyFault: PolicyFault): void
}

export interface PolicyFault {
  domain: string
  /** Human-readable text. */
  detail: string
  /** The mode of the policy that still applies; null without a policy. */
  activeMode: MtaStsPolicy['mode'] | null
}

/** Limits the DNS query. */
const lookupTimeoutMs = 15_000
/** An attempt waits at most this long for a new policy while an earlier policy applies. */
const newPolicyTimeoutMs = 10_000
/** The time of a cache entry that is too old from the start, so that the next call reads the store again. */
const neverFresh = 0

type FetchOutcome = { kind: 'Policy'; policy: StoredPolicy } | { kind: 'Failed'; fault: Fault }

export class MtaStsSource {
  readonly #options: MtaStsOptions
  readonly #cache = new PolicyCache()
  readonly #fetches = new Map<string, Promise<FetchOutcome>>()
  readonly #logLimiter = new RateLimiter(1, hourMs)

  constructor(options: MtaStsOptions) {
    this.#options = options
  }

  /** Never throws. When the signal aborts, pending requests continue for later calls. */
  async policyFor(recipientDomain: string, signal: AbortSignal): Promise<MtaStsState> {
    const domain = normaliseDomain(recipientDomain)
    if (domain === null || normaliseDomain(recordName(domain)) === null) return noMtaSts
    // One time for both: a policy that expires during the query of DNS is still used.
    const now = this.#now()
    const [record, { state, isCertain }] = await Promise.all([
      this.#queryRecord(domain, signal),
      this.#readState(domain, now, signal),
    ])
    const { policy: current } = withoutExpired(state, now)
    const ifCertain = (mtaSts: MtaStsState) => (isCertain ? mtaSts : unknownPolicy)
    if (record.kind === 'Unknown')
      return current
        ? this.#useUnconfirmed(domain, state, current, record.reason)
        : ifCertain(noPolicy(fetchError(record.reason)))
    if (record.id === null) return current ? this.#useWithdrawn(domain, current) : ifCertain(noMtaSts)
    if (current?.id === record.id) {
      this.#renewIfDue(domain, state, current)
      return activePolicy(current, state.failure)
    }
    const outcome = await this.#fetchInTime(domain, record.id, current, signal)
    if (outcome.kind === 'Policy') return activePolicy(outcome.policy)
    return current ? activePolicy(current, outcome.fault) : ifCertain(noPolicy(outcome.fault))
  }

  /** Waits for pending fetches, so that a frozen Lambda function does not lose them. */
  async waitForPending(limitMs: number): Promise<void> {
    await raceWithSignal(Promise.allSettled(this.#fetches.values()), AbortSignal.timeout(limitMs))
  }

  async #queryRecord(domain: string, signal: AbortSignal): Promise<RecordLookup> {
    const lookupSignal = AbortSignal.any([signal, AbortSignal.timeout(lookupTimeoutMs)])
    const answer = await this.#options.resolver.query(recordName(domain), 'TXT', lookupSignal)
    if (answer.kind === 'Failed')
      return {
        kind: 'Unknown',
        reason: `DNS failed for the TXT record of ${recordName(domain)}: ${answer.code}`,
      }
    return { kind: 'Known', id: answer.kind === 'Found' ? parseRecordId(answer.records) : null }
  }

  async #readState(domain: string, now: number, signal: AbortSignal): Promise<StateReading> {
    const cached = this.#cache.getFresh(domain, now)
    if (cached !== null && (cached.policy === null || isValid(cached.policy, now)))
      return { state: cached, isCertain: true }
    // Another worker may have renewed an expired policy.
    const reading = await raceWithSignal(this.#readStore(domain), signal)
    return reading ?? { state: this.#cache.getLast(domain), isCertain: false }
  }

  async #readStore(domain: string): Promise<StateReading> {
    try {
      const stored = await this.#options.store.read(domain)
      const state = withoutExpired(mergeLater(this.#cache.getLast(domain), stored), this.#now())
      this.#cache.set(domain, state, this.#now())
      return { state, isCertain: true }
    } catch (error) {
      const cached = withoutExpired(this.#cache.getLast(domain), this.#now())
      this.#report(
        domain,
        `The MTA-STS policies cannot be read from the table: ${errorMessage(error)}`,
        cached.policy,
      )
      return { state: cached, isCertain: false }
    }
  }

  /**
   * DNS failed, so it is unknown whether a new policy exists. Uses the current policy, and renews it from the policy
   * host when its renewal is due.
   */
  #useUnconfirmed(domain: string, state: DomainState, current: StoredPolicy, reason: string): MtaStsState {
    this.#reportHourly(domain, reason, current)
    this.#renewIfDue(domain, state, current)
    return activePolicy(current, fetchError(reason))
  }

  /**
   * RFC 8461 §3.1: a missing record does not remove a policy. The policy applies until it expires; only mode `none`
   * ends it earlier.
   */
  #useWithdrawn(domain: string, current: StoredPolicy): MtaStsState {
    this.#reportHourly(domain, `The TXT record at ${recordName(domain)} no longer exists`, current)
    return activePolicy(current)
  }

  /** Renews in the background: the attempt does not wait for the renewal, and does not fail when the renewal fails. */
  #renewIfDue(domain: string, { failure }: DomainState, current: StoredPolicy): void {
    const now = this.#now()
    if (isRenewalDue(current, now) && !isRetryPaused(failure, current.id, now))
      void this.#renew(domain, current.id)
  }

  async #fetchInTime(
    domain: string,
    id: string,
    current: StoredPolicy | null,
    signal: AbortSignal,
  ): Promise<FetchOutcome> {
    const limits = current === null ? [signal] : [signal, AbortSignal.timeout(newPolicyTimeoutMs)]
    const outcome = await raceWithSignal(this.#fetchNew(domain, id), AbortSignal.any(limits))
    return outcome ?? { kind: 'Failed', fault: fetchError('The policy host took too long') }
  }

  #fetchNew(domain: string, id: string): Promise<FetchOutcome> {
    return this.#joinOrStart(`${domain} ${id}`, () =>
      this.#fetchUnless((policy) => policy.id === id, domain, id),
    )
  }

  #renew(domain: string, id: string): Promise<FetchOutcome> {
    return this.#joinOrStart(domain, () =>
      this.#fetchUnless((policy) => !isRenewalDue(policy, this.#now()), domain, id),
    )
  }

  /** Never rejects. Joins a pending fetch with the same key. */
  #joinOrStart(key: string, fetch: () => Promise<FetchOutcome>): Promise<FetchOutcome> {
    const pendingFetch = this.#fetches.get(key)
    if (pendingFetch !== undefined) return pendingFetch
    const newFetch = fetch()
      .catch((error): FetchOutcome => ({ kind: 'Failed', fault: fetchError(errorMessage(error)) }))
      .finally(() => this.#fetches.delete(key))
    this.#fetches.set(key, newFetch)
    return newFetch
  }

  /** @param isSufficient whether a policy that another worker has fetched in the meantime suffices */
  async #fetchUnless(
    isSufficient: (policy: StoredPolicy) => boolean,
    domain: string,
    id: string,
  ): Promise<FetchOutcome> {
    const reading = await this.#readStore(domain)
    const { state } = reading
    const now = this.#now()
    const { policy, failure } = state
    if (policy !== null && isSufficient(policy)) return { kind: 'Policy', policy }
    if (failure !== null && isRetryPaused(failure, id, now)) return { kind: 'Failed', fault: failure }
    const fetched = await fetchPolicy(domain, { ...this.#options, limits: fetchLimits })
    if (fetched.kind === 'Failed') return this.#storeFailure(domain, reading, { ...fetched, id })
    return this.#storeFetched(domain, state, {
      ...fetched.policy,
      id,
      fetchedAt: now,
      validUntil: now + fetched.policy.maxAge * 1000,
    })
  }

  async #storeFetched(domain: string, state: DomainState, policy: StoredPolicy): Promise<FetchOutcome> {
    this.#cache.set(domain, mergeLater(state, { policy, failure: null }), this.#now())
    await this.#write(domain, policy, (store) => store.savePolicy(domain, policy))
    return { kind: 'Policy', policy }
  }

  async #storeFailure(
    domain: string,
    { state, isCertain }: StateReading,
    { id, result, detail }: { id: string; result: TlsResult; detail: string },
  ): Promise<FetchOutcome> {
    const now = this.#now()
    const failure = { id, at: now, result, detail }
    const current = state.policy
    // A store that could not be read may hold a policy: the next call reads the store again.
    this.#cache.set(domain, { ...state, failure }, isCertain ? now : neverFresh)
    this.#report(domain, detail, current)
    await this.#write(domain, current, (store) => store.saveFailure(domain, failure))
    return { kind: 'Failed', fault: failure }
  }

  async #write(
    domain: string,
    current: StoredPolicy | null,
    write: (store: PolicyStore) => Promise<void>,
  ): Promise<void> {
    try {
      await write(this.#options.store)
    } catch (error) {
      this.#report(
        domain,
        `The MTA-STS policies cannot be written to the table: ${errorMessage(error)}`,
        current,
      )
    }
  }

  #reportHourly(domain: string, detail: string, current: StoredPolicy): void {
    const now = this.#options.now()
    if (current.mode === 'none' || !this.#logLimiter.isAllowed(domain, now)) return
    this.#logLimiter.take(domain, now)
    this.#report(domain, detail, current)
  }

  #report(domain: string, detail: string, current: StoredPolicy | null): void {
    this.#options.onFault({ domain, detail, activeMode: current?.mode ?? null })
  }

  #now(): number {
    return this.#options.now().getTime()
  }
}

type RecordLookup =
  | { kind: 'Known'; id: string | null }
  /** The DNS query failed. */
  | { kind: 'Unknown'; reason: string }

const recordName = (domain: string): string => `_mta-sts.${domain}`

interface Fault {
  result: TlsResult
  detail: string
}

/** A policy in mode `none` requires nothing, so its failed renewal is no fault (RFC 8461 §6). */
const activePolicy = ({ id, mode, mx, maxAge }: StoredPolicy, fault: Fault | null = null): MtaStsState => ({
  kind: 'Policy',
  policy: { id, mode, mx, maxAge },
  fault: fault && mode !== 'none' ? { result: fault.result, detail: fault.detail } : null,
})

/**
 * The stored state of a domain; `isCertain` is false when the store could not be read and the state comes from the
 * cache.
 */
interface StateReading {
  state: DomainState
  isCertain: boolean
}

const unknownPolicy: MtaStsState = { kind: 'Unknown' }

const noPolicy = ({ result, detail }: Fault): MtaStsState => ({ kind: 'None', fault: { result, detail } })

const fetchError = (detail: string) => ({ result: 'sts-policy-fetch-error' as const, detail })
