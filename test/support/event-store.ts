/** The events bucket in memory, with the test's faults. */
import { createHash } from 'node:crypto'
import type { EventStore } from '../../shared/events/event-store.ts'

export interface MemoryEventStore extends Pick<EventStore, 'get' | 'list' | 'put'> {
  readonly objects: Map<string, Buffer>
  /** Keys in the order in which they were put. */
  readonly puts: string[]
  /** Runs before an object is put, and may wait or throw. */
  before: (key: string) => Promise<void>
}

export function memoryEventStore(): MemoryEventStore {
  const objects = new Map<string, Buffer>()
  const puts: string[] = []
  const store: MemoryEventStore = {
    objects,
    puts,
    before: async () => {},
    async put(key, body) {
      await store.before(key)
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
        return { key, size: object.length, etag: createHash('md5').update(object).digest('hex') }
      })
    },
  }
  return store
}
