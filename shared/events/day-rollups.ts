/** Reads and stores the rollups of days. */
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { concurrencyLimiter } from '../limits/concurrency-limiter.ts'
import { addRollups, type DayRollup, type DayRow, digestOf } from './day-rollup.ts'
import { dayRollupKey, hourOfRollup, rollupsOfDay, sealInKey } from './event-keys.ts'
import type { EventStore, StoredObject } from './event-store.ts'
import type { Rollup } from './rollup-row.ts'

const compress = promisify(gzip)
const decompress = promisify(gunzip)

const maxConcurrentReads = 32

export class DayRollups {
  readonly #store: Pick<EventStore, 'get' | 'list' | 'put'>
  readonly #limit = concurrencyLimiter(maxConcurrentReads)
  /** The days that were read, by date. */
  readonly #known = new Map<string, DayRollup>()

  constructor(store: Pick<EventStore, 'get' | 'list' | 'put'>) {
    this.#store = store
  }

  /**
   * Returns the counts of a day. They are always those of the rollups that exist now: a stored day that other rollups
   * have been added to is not used.
   * @param date `YYYY-MM-DD` @param until rollups of this sealed hour and of later ones are left out
   * @param hours the hours of the day that are counted, `YYYY-MM-DDTHH`; absent: all
   */
  async read(date: string, until: string, hours?: readonly string[]): Promise<DayRow[]> {
    const objects = (await this.#rollups(date)).filter(
      ({ key }) => sealInKey(key) < until && (hours?.includes(hourOfRollup(key) ?? '') ?? true),
    )
    if (objects.length === 0) return []
    const sources = digestOf(objects)
    const known = this.#known.get(date) ?? (await this.#stored(date))
    const day = known?.sources === sources ? known : { sources, rows: await this.#add(objects) }
    this.#known.set(date, day)
    return day.rows
  }

  /** Stores the counts of a day, for all readers. */
  async store(date: string): Promise<void> {
    const objects = await this.#rollups(date)
    const day: DayRollup = { sources: digestOf(objects), rows: await this.#add(objects) }
    await this.#store.put(dayRollupKey(date), await compress(JSON.stringify(day)))
  }

  async #rollups(date: string): Promise<StoredObject[]> {
    const objects = await this.#limit(() => this.#store.list(rollupsOfDay(date)))
    return objects.filter(({ key }) => hourOfRollup(key) !== null)
  }

  async #stored(date: string): Promise<DayRollup | null> {
    try {
      return await this.#json<DayRollup>(dayRollupKey(date))
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchKey') return null
      throw error
    }
  }

  async #add(objects: readonly StoredObject[]): Promise<DayRow[]> {
    return addRollups(await Promise.all(objects.map(({ key }) => this.#json<Rollup>(key))))
  }

  #json<T>(key: string): Promise<T> {
    return this.#limit(async () => JSON.parse((await decompress(await this.#store.get(key))).toString()))
  }
}
