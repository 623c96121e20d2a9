/**
 * Lists of recipients in memory: each is read when a recipient of its domain first arrives, and again when its version
 * changes. The attack: mail to many domains fills the memory. The defence: a limit for all lists together; the list that
 * was not used for longest is removed, and read again when it is needed.
 */
import { concurrencyLimiter } from '../../../shared/limits/concurrency-limiter.ts'
import { causeOf, type Log } from '../log.ts'
import { HashSet } from './hash-set.ts'

export interface ListSource {
  /** @throws Error when the list cannot be read */
  read(domain: string, version: string): AsyncIterable<readonly string[]>
}

/** Recipients of all lists together: 32 MB. */
const defaultMaxRecipients = 4_000_000
/** Milliseconds until a list that could not be read is read again. */
const retryDelayMs = 5_000
/** Lists that are read at the same time, because a list takes several megabytes while it is read. */
const maxConcurrentReads = 2

interface Entry {
  version: string
  set: HashSet | null
  pendingRead: Promise<HashSet | null> | null
  failedAt: number
}

export class ListCache {
  readonly #source: ListSource
  readonly #log: Log
  readonly #now: () => number
  readonly #maxRecipients: number
  readonly #limit = concurrencyLimiter(maxConcurrentReads)
  /** The domain whose list was used last is the last key. */
  readonly #entries = new Map<string, Entry>()

  /** @param now milliseconds of a monotonic clock */
  constructor(
    source: ListSource,
    log: Log,
    now: () => number = () => performance.now(),
    maxRecipients = defaultMaxRecipients,
  ) {
    this.#source = source
    this.#log = log
    this.#now = now
    this.#maxRecipients = maxRecipients
  }

  /** Returns null, or resolves with null, when the list cannot be read. Never rejects. */
  get(domain: string, version: string): HashSet | null | Promise<HashSet | null> {
    const entry = this.#entryOf(domain, version)
    if (entry.set !== null) return entry.set
    if (entry.pendingRead === null && this.#now() - entry.failedAt < retryDelayMs) return null
    entry.pendingRead ??= this.#limit(() => this.#read(domain, entry))
    return entry.pendingRead
  }

  #entryOf(domain: string, version: string): Entry {
    const known = this.#entries.get(domain)
    // Versions are in the order of their times: a session may still have an earlier snapshot than another.
    const entry =
      known !== undefined && known.version >= version
        ? known
        : { version, set: null, pendingRead: null, failedAt: Number.NEGATIVE_INFINITY }
    this.#entries.delete(domain)
    this.#entries.set(domain, entry)
    return entry
  }

  async #read(domain: string, entry: Entry): Promise<HashSet | null> {
    try {
      entry.set = await HashSet.from(this.#source.read(domain, entry.version))
      this.#removeUnused(domain)
    } catch (error) {
      entry.failedAt = this.#now()
      this.#log('error', 'a list of recipients cannot be read: all recipients of the domain are accepted', {
        domain,
        version: entry.version,
        cause: causeOf(error),
      })
    }
    entry.pendingRead = null
    return entry.set
  }

  #removeUnused(newest: string): void {
    let total = [...this.#entries.values()].reduce((sum, { set }) => sum + (set?.size ?? 0), 0)
    for (const [domain, { set }] of this.#entries) {
      if (total <= this.#maxRecipients) return
      if (domain === newest || set === null) continue
      total -= set.size
      this.#entries.delete(domain)
    }
  }
}
