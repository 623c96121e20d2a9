/** An events bucket in a folder. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { EventStore } from '../../shared/events/event-store.ts'

export function folderStore(bucket: string): Pick<EventStore, 'get' | 'list' | 'put'> {
  return {
    async put(key, body) {
      mkdirSync(dirname(join(bucket, key)), { recursive: true })
      writeFileSync(join(bucket, key), body)
    },
    async get(key, range) {
      const path = join(bucket, key)
      if (!existsSync(path)) throw Object.assign(new Error(`no such key ${key}`), { name: 'NoSuchKey' })
      const [start, end] = range ?? [0, statSync(path).size]
      const octets = Buffer.alloc(end - start)
      const file = openSync(path, 'r')
      readSync(file, octets, 0, octets.length, start)
      closeSync(file)
      return octets
    },
    async list(prefix) {
      const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
      if (!existsSync(join(bucket, folder))) return []
      return readdirSync(join(bucket, folder), { recursive: true, encoding: 'utf8' })
        .map((name) => `${folder}${name}`)
        .filter((key) => key.startsWith(prefix))
        .map((key) => ({ key, stat: statSync(join(bucket, key)) }))
        .filter(({ stat }) => stat.isFile())
        .map(({ key, stat }) => ({ key, size: stat.size, etag: String(stat.mtimeMs) }))
        .sort((a, b) => (a.key < b.key ? -1 : 1))
    },
  }
}
