/**
 * The slots of one destination: its session limit, and the leases of the workers that deliver to it. A worker has one
 * lease for all its concurrent deliveries. Pure.
 */
import { initialSessionLimit, type LoadReport, nextSessionLimit, type SessionLimit } from './session-limit.ts'

export interface SlotLease {
  holder: string
  /** Number of concurrent deliveries. */
  slots: number
  /** Milliseconds since 1970. A worker that died gives its slots back then. */
  endMs: number
}

export interface SlotPool extends SessionLimit {
  leases: readonly SlotLease[]
  /** Milliseconds since 1970. */
  updatedAtMs: number
}

export interface SlotPoolOptions {
  /** Limit of a destination without recent deliveries. */
  initialLimit: number
  maxLimit: number
  /** Maximum number of workers that deliver to the destination at the same time. */
  maxHolders: number
  leaseMs: number
}

export interface SlotRequest {
  holder: string
  /** Number of slots that the holder can use. */
  wanted: number
  /** Whether the lease ends. */
  isEnd: boolean
  /** What its deliveries have shown; null for a new lease. */
  report: LoadReport | null
}

export interface SlotGrant {
  pool: SlotPool
  /** 0 when no slot is free; the pool is then unchanged. */
  granted: number
  /** Whether the holder got less than it wants, or others may need its slots soon: half of all are in use. */
  isContended: boolean
}

/** A limit without deliveries shows nothing any more after this time. */
const idleMs = 600_000

/** One worker gets at most this part of the slots, so that several workers can deliver while the limit is low. */
const maxShare = 1 / 4

/** Applies a worker's report, then grants, renews or ends its lease. */
export function updateSlots(
  stored: SlotPool | null,
  { holder, wanted, isEnd, report }: SlotRequest,
  options: SlotPoolOptions,
  nowMs: number,
): SlotGrant {
  const pool = currentPool(stored, options, nowMs)
  const own = pool.leases.find((lease) => lease.holder === holder)
  const others = pool.leases.filter((lease) => lease.holder !== holder)
  const isInUse = isHalfUsed(pool.leases, pool) || (own !== undefined && own.slots < wanted)
  const use = { slots: own?.slots ?? 0, isInUse, maxLimit: options.maxLimit }
  const limit = report ? nextSessionLimit(pool, report, use, nowMs) : pool
  const granted = isEnd ? 0 : grantedSlots(wanted, own, others, limit.limit, options)
  if (granted === 0 && !isEnd) return { pool, granted, isContended: true }
  const lease = { holder, slots: granted, endMs: nowMs + options.leaseMs }
  const leases = granted > 0 ? [...others, lease] : others
  return {
    pool: { ...pool, ...limit, leases, updatedAtMs: nowMs },
    granted,
    isContended: granted < wanted || isHalfUsed(leases, limit) || 2 * leases.length >= options.maxHolders,
  }
}

function currentPool(stored: SlotPool | null, options: SlotPoolOptions, nowMs: number): SlotPool {
  const initialLimit = Math.min(options.initialLimit, options.maxLimit)
  if (stored === null || nowMs - stored.updatedAtMs > idleMs)
    return { ...initialSessionLimit(initialLimit), leases: [], updatedAtMs: nowMs }
  // The maximum is a setting, which may have been lowered.
  const limit = Math.min(stored.limit, options.maxLimit)
  return { ...stored, limit, leases: stored.leases.filter(({ endMs }) => endMs > nowMs) }
}

function grantedSlots(
  wanted: number,
  own: SlotLease | undefined,
  others: readonly SlotLease[],
  limit: number,
  { maxHolders }: SlotPoolOptions,
): number {
  if (own === undefined && others.length >= maxHolders) return 0
  const free = Math.floor(limit) - sumOfSlots(others)
  const share = Math.max(1, Math.ceil(limit * maxShare))
  // A worker that is delivering keeps one slot, or its remaining deliveries would never begin.
  return Math.max(own ? 1 : 0, Math.min(wanted, share, free))
}

const sumOfSlots = (leases: readonly SlotLease[]): number => leases.reduce((sum, { slots }) => sum + slots, 0)

const isHalfUsed = (leases: readonly SlotLease[], { limit }: SessionLimit): boolean =>
  2 * sumOfSlots(leases) >= limit
