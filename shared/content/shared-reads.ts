/**
 * Reads the messages of a batch. Messages that the ingress stored together in a segment usually arrive together in a
 * batch, so one request reads those that are near each other. Each message is verified by itself.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { ContentReference } from '../contract/message.ts'
import { type ContentReader, verifyContent } from './content-reader.ts'
import { planReads } from './plan-reads.ts'

/** Returns a function that reads all messages requested in one turn of the event loop together. */
export function sharedReads(
  reader: Pick<ContentReader, 'read' | 'readRange'>,
): (reference: ContentReference) => Promise<Buffer> {
  const pending = new Map<string, { requests: ContentReference[]; contents: Promise<Contents> }>()

  async function readAll(key: string, requests: readonly ContentReference[]): Promise<Contents> {
    await turn()
    pending.delete(key)
    const contents: Contents = new Map()
    for (const { offset, length, references } of planReads(requests)) {
      const [first] = references
      if (first === undefined) continue
      if (references.length === 1) {
        contents.set(first, reader.read(first))
        continue
      }
      const range = reader.readRange({ ...first, offset, length })
      for (const reference of references)
        contents.set(
          reference,
          range.then((octets) => {
            const start = reference.offset - offset
            return verifyContent(octets.subarray(start, start + reference.length), reference)
          }),
        )
    }
    return contents
  }

  return async (reference) => {
    const key = `${reference.bucket}/${reference.key}`
    const group = pending.get(key) ?? newGroup(key)
    group.requests.push(reference)
    const content = (await group.contents).get(reference)
    if (content === undefined) throw new Error(`no content for ${key}`)
    return content
  }

  function newGroup(key: string) {
    const requests: ContentReference[] = []
    const group = { requests, contents: readAll(key, requests) }
    pending.set(key, group)
    return group
  }
}

type Contents = Map<ContentReference, Promise<Buffer>>
