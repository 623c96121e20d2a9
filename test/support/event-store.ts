/** The events bucket in memory, with the test's faults. */
import { createHash } from 'node:crypto'
import type { EventStore } from '../../shared/events/event-store.ts'

export interface MemoryEventStore extends Pick<EventStore, 'get' | 'list' | 'put'> {
  delete(key: string): Promise<void>
  readonly objects: Map<string, Buffer>
  /** Tags by key. */
  readonly tags: Map<string, string>
  /** Keys in the order in which they were put. */
  readonly puts: string[]
  /** Runs before an object is put, and may wait or throw. */
  before: (key: string) => Promise<void>
}

const etagOf = (object: Buffer): string => createHash('md5').update(object).digest('hex')

export function memoryEventStore(): MemoryEventStore {
  const objects = new Map<string, Buffer>()
  const tags = new Map<string, string>()
  const puts: string[] = []
  const store: MemoryEventStore = {
    objects,
    tags,
    puts,
    before: async () => {},
    async put(key, body, replaced) {
      await store.before(key)
      const current = objects.get(key)
      if (replaced && (current === undefined || etagOf(current) !== replaced.etag))
        throw Object.assign(new Error(`another content of ${key}`), { name: 'PreconditionFailed' })
      if (replaced) tags.set(key, replaced.tag)
      puts.push(key)
      objects.set(key, Buffer.from(body))
    },
    async get(key, range) {
      const object = objects.get(key)
      if (object === undefined) throw Object.assign(new Error(`no such key ${key}`), { name: 'NoSuchKey' })
      return Buffer.from(range === undefined ? object : object.subarray(...range))
    },
    async list(prefix) {
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort()
      return keys.map((key) => {
        const object = objects.get(key) as Buffer
        return { key, size: object.length, etag: etagOf(object) }
      })
    },
    async delete(key) {
      objects.delete(key)
    },
  }
  return store
}
