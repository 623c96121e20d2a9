/**
 * The states of erasures, each an object of the events bucket. It has no address: the function that erases is given the
 * address with its invocation.
 */
import { createHash } from 'node:crypto'
import * as z from 'zod'
import { minuteMs } from '../contract/durations.ts'
import type { EventStore } from './event-store.ts'

const count = z.int().nonnegative()

export const ErasedCounts = z.strictObject({
  events: count.describe('events in which the address was replaced, in each object that has them'),
  files: count.describe('objects that were rewritten: raw events, Parquet files, rollups, seals'),
  messages: count.describe('messages whose items in the trace were deleted or changed'),
  rejections: count.describe('refusals that were deleted from the trace'),
  contents: count.describe('contents of messages and DSNs that were deleted or overwritten'),
  searches: count.describe('results of searches that were deleted'),
  deadLetters: count.describe('dead letters that were deleted or replaced'),
})
export type ErasedCounts = z.output<typeof ErasedCounts>

export const Erasure = z.strictObject({
  id: z.ulid(),
  state: z.enum(['Running', 'Succeeded', 'Failed']),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable(),
  actor: z.string().describe('who requested it: IAM principal, or subject of the token'),
  erased: ErasedCounts,
  remaining: z
    .array(z.string())
    .describe(
      'configuration that has the address, and that an administrator can change: paths of the API, and settings of the deployment',
    ),
  reason: z.string().nullable().describe('why it failed'),
})
export type Erasure = z.output<typeof Erasure>

/** `updatedAt`: the time of the last write, ISO 8601. */
const StoredErasure = Erasure.extend({ updatedAt: z.iso.datetime() })

export const nothingErased: ErasedCounts = {
  events: 0,
  files: 0,
  messages: 0,
  rejections: 0,
  contents: 0,
  searches: 0,
  deadLetters: 0,
}

/** The function runs for 15 minutes at most, and Lambda repeats it within three. It writes more often. */
const maxSilenceMs = 20 * minuteMs

/** The local part that replaces an address. It is the same in the whole erasure, and does not depend on the address. */
export const pseudonymOf = (id: string): string =>
  `erased-${createHash('sha256').update(id).digest('hex').slice(0, 8)}`

export class Erasures {
  readonly #store: Pick<EventStore, 'get' | 'put'>
  readonly #now: () => number

  /** @param now milliseconds since the epoch */
  constructor(store: Pick<EventStore, 'get' | 'put'>, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** @returns null if there is no erasure of this id. One whose function has died is `Failed` */
  async read(id: string): Promise<Erasure | null> {
    const stored = await this.#stored(id)
    if (stored === null) return null
    const { updatedAt, ...erasure } = stored
    const isSilent = this.#now() - Date.parse(updatedAt) > maxSilenceMs
    if (erasure.state !== 'Running' || !isSilent) return erasure
    return { ...erasure, state: 'Failed', finishedAt: updatedAt, reason: silenceReason }
  }

  /** Reads an erasure as it was written. */
  async load(id: string): Promise<Erasure | null> {
    const { updatedAt: _, ...erasure } = (await this.#stored(id)) ?? {}
    return 'id' in erasure ? erasure : null
  }

  async write(erasure: Erasure): Promise<void> {
    const stored = { ...erasure, updatedAt: new Date(this.#now()).toISOString() }
    await this.#store.put(keyOf(erasure.id), Buffer.from(JSON.stringify(stored)))
  }

  async #stored(id: string): Promise<z.output<typeof StoredErasure> | null> {
    try {
      return StoredErasure.parse(JSON.parse((await this.#store.get(keyOf(id))).toString()))
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return null
      throw error
    }
  }
}

const silenceReason = 'The function stopped. Erase the address again.'

const keyOf = (id: string): string => `erasures/${id}.json`
