/**
 * Simulates fifty workers that deliver to one server through one pool of slots. Time is simulated: nothing waits. A
 * worker always has a batch of fifty messages, acquires slots for it, sends the messages, and reports. Without slots it
 * asks again after a second.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LoadReport } from '../../../shared/limits/session-limit.ts'
import { type SlotPool, updateSlots } from '../../../shared/limits/slot-pool.ts'

const options = { initialLimit: 10, maxLimit: 100, maxHolders: 20, leaseMs: 10_000 }
const batchSize = 50
const setupMs = 150
/** The others of a batch return to their queue. */
const maxBatchMs = 180_000

interface Simulated {
  /** Time from the first command of a message to its last reply, with this many sessions open. */
  messageMs(sessions: number, nowMs: number): number
  /** Whether the server accepts a message. */
  accepts(sessions: number, nowMs: number): boolean
}

interface Result {
  accepted: number
  /** The most sessions at the same time, by second. */
  peaks: number[]
  /** The most workers that delivered at the same time. */
  maxBusyWorkers: number
  writes: number
}

function simulate(server: Simulated, seconds: number, workers = 50): Result {
  let stored: SlotPool | null = null
  const open = new Map<string, number>()
  const result: Result = { accepted: 0, peaks: Array(seconds).fill(0), maxBusyWorkers: 0, writes: 0 }
  const events: { atMs: number; run(nowMs: number): void }[] = []
  const later = (atMs: number, run: (nowMs: number) => void) => void events.push({ atMs, run })
  const sessions = () => [...open.values()].reduce((sum, each) => sum + each, 0)
  const update = (holder: string, isEnd: boolean, report: LoadReport | null, nowMs: number) => {
    const grant = updateSlots(stored, { holder, wanted: 5, isEnd, report }, options, nowMs)
    if (grant.granted > 0 || isEnd) {
      stored = grant.pool
      result.writes += 1
    }
    return grant.granted
  }
  const begin = (holder: string) => (nowMs: number) => {
    const granted = update(holder, false, null, nowMs)
    if (granted === 0) return later(nowMs + 1_000, begin(holder))
    open.set(holder, granted)
    result.maxBusyWorkers = Math.max(result.maxBusyWorkers, open.size)
    const second = Math.floor(nowMs / 1000)
    result.peaks[second] = Math.max(result.peaks[second] ?? 0, sessions())
    const perMessageMs = server.messageMs(sessions(), nowMs)
    const isAccepted = server.accepts(sessions(), nowMs)
    const beganMs = nowMs + setupMs
    const messages = Math.min(batchSize, granted * Math.ceil(maxBatchMs / perMessageMs))
    const endMs = beganMs + Math.ceil(messages / granted) * perMessageMs
    let reported = 0
    const reportAt = (atMs: number): LoadReport => {
      const ended = Math.min(messages, granted * Math.max(0, Math.floor((atMs - beganMs) / perMessageMs)))
      const count = ended - reported
      reported = ended
      if (isAccepted) result.accepted += count
      return isAccepted ? { accepted: count, overloaded: 0 } : { accepted: 0, overloaded: count }
    }
    const renew = (atMs: number) => {
      if (atMs >= endMs) return
      update(holder, false, reportAt(atMs), atMs)
      later(atMs + options.leaseMs / 3, renew)
    }
    later(nowMs + options.leaseMs / 3, renew)
    later(endMs, (atMs) => {
      open.delete(holder)
      update(holder, true, reportAt(atMs), atMs)
      later(atMs + 1, begin(holder))
    })
  }
  for (let worker = 0; worker < workers; worker += 1) later(worker, begin(String(worker)))
  for (;;) {
    events.sort((a, b) => b.atMs - a.atMs)
    const next = events.pop()
    if (next === undefined || next.atMs >= seconds * 1000) return result
    next.run(next.atMs)
  }
}

/** A server that answers each command after 20 ms: MAIL, RCPT and DATA are one flight, the content another. */
const fast: Simulated = { messageMs: () => 45, accepts: () => true }

describe('the session limit', () => {
  it('of a server that answers in 20 ms grows from 10 to 100 in seconds: more than 1,000 messages per second', () => {
    const result = simulate(fast, 20)
    assert.ok((result.peaks[0] ?? 0) <= 40, `first second: ${result.peaks[0]}`)
    assert.ok((result.peaks[5] ?? 0) >= 90, `sixth second: ${result.peaks[5]}`)
    assert.ok(result.accepted / 20 >= 1_000, `${result.accepted / 20} messages per second`)
    assert.ok(result.writes < result.accepted / 10, `${result.writes} writes`)
    assert.ok(result.maxBusyWorkers <= options.maxHolders)
  })

  it('of a server that refuses with 421 above 30 sessions stays near 30, and most mail is accepted', () => {
    const limited: Simulated = { messageMs: () => 45, accepts: (sessions) => sessions <= 30 }
    const { peaks, accepted } = simulate(limited, 120)
    const settled = peaks.slice(20)
    assert.ok(Math.max(...settled) <= 40, `at most ${Math.max(...settled)} sessions`)
    assert.ok(accepted / 120 >= 200, `${accepted / 120} messages per second`)
  })

  it('of a server whose time grows with its load does not exceed the maximum', () => {
    const loaded: Simulated = { messageMs: (sessions) => Math.max(45, sessions * 10), accepts: () => true }
    assert.ok(Math.max(...simulate(loaded, 60).peaks) <= options.maxLimit)
  })

  it('of a server that hangs after a minute falls, and the server never occupies more than two fifths of the workers', () => {
    const hanging: Simulated = {
      messageMs: (_, nowMs) => (nowMs < 60_000 ? 45 : 30_000),
      accepts: (_, nowMs) => nowMs < 60_000,
    }
    const { peaks, maxBusyWorkers } = simulate(hanging, 1_200)
    assert.ok(maxBusyWorkers <= 20, `${maxBusyWorkers} workers`)
    assert.ok(Math.max(...peaks.slice(-300)) <= 3, `${Math.max(...peaks.slice(-300))} sessions at the end`)
  })

  it('of a server that recovers grows again', () => {
    const recovering: Simulated = {
      messageMs: () => 45,
      accepts: (_, nowMs) => nowMs < 20_000 || nowMs > 80_000,
    }
    const { peaks } = simulate(recovering, 400)
    assert.ok(Math.max(...peaks.slice(70, 80)) <= 3)
    assert.ok(Math.max(...peaks.slice(-10)) >= 20, `${peaks.slice(-10)}`)
  })
})
