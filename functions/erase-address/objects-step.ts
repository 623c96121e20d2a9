/**
 * The steps that look into the events bucket: each object of a prefix is read, and is put again under its key if it has the
 * address. The put requires that the object is still the one that was listed. So no erasure undoes another, and no seal is
 * undone.
 *
 * Why each file is read whole: a search by Athena would name the files, but its SQL has the address, and Athena keeps it
 * for 45 days. Ten million events are about 500 MB in 2,200 files: two minutes, and USD 0.01.
 */
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { dayMs } from '../../shared/contract/durations.ts'
import { remainingParts, retentionTag } from '../../shared/contract/remaining-retention.ts'
import type { ErasedCounts } from '../../shared/events/erasures.ts'
import { hourInKey, isDayRollup } from '../../shared/events/event-keys.ts'
import type { EventStore, StoredObject } from '../../shared/events/event-store.ts'
import { startOf } from '../../shared/events/hours.ts'
import type { AddressEraser } from '../../shared/mail/erased-address.ts'
import { rewriteEventFile } from './rewrite-event-file.ts'
import type { Part, Step } from './step.ts'

interface Store extends Pick<EventStore, 'get' | 'list' | 'put'> {
  delete(key: string): Promise<void>
}

/** @returns what was changed in the object; null if it does not have the address */
type EraseObject = (object: StoredObject) => Promise<Partial<ErasedCounts> | null>

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/** Objects that are read at the same time. */
const maxSmallObjects = 8
const maxFiles = 2

export interface Dependencies {
  store: Store
  /** Days for which events are kept. */
  retentionDays: number
  /** Milliseconds since the epoch. */
  now(): number
}

export function objectSteps(address: AddressEraser, { store, retentionDays, now }: Dependencies): Step[] {
  const step = (prefix: string, erase: EraseObject, concurrency = maxSmallObjects): Step => ({
    run: (after) => eraseObjects(store, { prefix, after: String(after ?? ''), concurrency }, erase),
  })
  const put = async ({ key, etag }: StoredObject, octets: Uint8Array, events: number) => {
    const ageDays = (now() - startOf(hourInKey(key))) / dayMs
    const tag = `${retentionTag}=${remainingParts(ageDays, retentionDays)}`
    await store.put(key, octets, { etag, tag })
    return { events, files: 1 }
  }
  const eraseRaw: EraseObject = async (object) => {
    const rewritten = rewriteLines(await decompress(await store.get(object.key)), address)
    return rewritten && put(object, await compress(rewritten.text), rewritten.events)
  }
  const eraseFile: EraseObject = async (object) => {
    const rewritten = await rewriteEventFile(await store.get(object.key), address)
    return rewritten && put(object, rewritten.octets, rewritten.events)
  }
  const eraseJson: EraseObject = async (object) => {
    const isCompressed = object.key.endsWith('.gz')
    const octets = await store.get(object.key)
    const text = isCompressed ? await decompress(octets) : octets
    if (!address.mayBeIn(text)) return null
    const value: unknown = JSON.parse(text.toString())
    const changed = address.replaceInValue(value)
    if (changed === value) return null
    // Reports then add the hours of the day.
    if (isDayRollup(object.key)) {
      await store.delete(object.key)
      return { files: 1 }
    }
    const json = Buffer.from(JSON.stringify(changed))
    return put(object, isCompressed ? await compress(json) : json, 0)
  }
  const deleteSearch: EraseObject = async ({ key }) => {
    const octets = await store.get(key)
    if (!address.mayBeIn(octets)) return null
    // CSV doubles the quotes of a value, and JSON escapes them.
    const text = octets.toString().replaceAll(/""|\\"/g, '"')
    if (address.replaceIn(text) === text) return null
    // Athena describes the columns in a second object.
    await Promise.all([store.delete(key), store.delete(`${key}.metadata`)])
    return { searches: 1 }
  }
  return [
    { ...step('raw/', eraseRaw), changesRaw: true },
    step('parquet/', eraseFile, maxFiles),
    step('rollups/', eraseJson),
    step('seals/', eraseJson),
    step('searches/', deleteSearch, maxFiles),
  ]
}

async function* eraseObjects(
  store: Pick<EventStore, 'list'>,
  { prefix, after, concurrency }: { prefix: string; after: string; concurrency: number },
  erase: EraseObject,
): AsyncGenerator<Part> {
  const objects = (await store.list(prefix)).filter(({ key }) => key > after)
  for (let start = 0; start < objects.length; start += concurrency) {
    const group = objects.slice(start, start + concurrency)
    const results = await Promise.all(group.map((object) => unlessChanged(erase(object))))
    const erased: Partial<ErasedCounts> = {}
    for (const result of results)
      if (result !== 'Changed')
        for (const [name, count] of Object.entries(result ?? {}))
          erased[name as keyof ErasedCounts] = (erased[name as keyof ErasedCounts] ?? 0) + count
    yield { after: group.at(-1)?.key, erased, isIncomplete: results.includes('Changed') }
  }
}

/** An object that expired meanwhile has no address any more. */
async function unlessChanged<T>(erasing: Promise<T>): Promise<T | 'Changed' | null> {
  try {
    return await erasing
  } catch (error) {
    const { name } = error as Error
    if (name === 'NoSuchKey') return null
    if (name === 'PreconditionFailed' || name === 'ConditionalRequestConflict') return 'Changed'
    throw error
  }
}

/** Rewrites JSON lines. @returns null if no line has the address */
export function rewriteLines(
  content: Buffer,
  address: AddressEraser,
): { text: string; events: number } | null {
  if (!address.mayBeIn(content)) return null
  let events = 0
  const lines = content
    .toString()
    .split('\n')
    .map((line) => {
      const event: unknown = line.trim() === '' ? null : JSON.parse(line)
      const changed = address.replaceInValue(event)
      if (changed === event) return line
      events += 1
      return JSON.stringify(changed)
    })
  return events === 0 ? null : { text: lines.join('\n'), events }
}
