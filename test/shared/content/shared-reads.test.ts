import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ContentReader } from '../../../shared/content/content-reader.ts'
import { planReads } from '../../../shared/content/plan-reads.ts'
import { segmentReferences } from '../../../shared/content/segment-writer.ts'
import { sharedReads } from '../../../shared/content/shared-reads.ts'
import type { ContentReference } from '../../../shared/contract/message.ts'

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

const at = (offset: number, length: number): ContentReference => ({
  ...{ bucket: 'content', key: 'segments/a', sha256: '' },
  ...{ offset, length },
})

describe('the ranges that are read for messages of one segment', () => {
  const rows: [
    what: string,
    messages: [offset: number, length: number][],
    ranges: [number, number, number][],
  ][] = [
    ['one for one message', [[5, 10]], [[5, 10, 1]]],
    [
      'one for neighbours, in any order',
      [
        [15, 5],
        [0, 15],
        [20, 1],
      ],
      [[0, 21, 3]],
    ],
    [
      'one for two copies of the same message',
      [
        [5, 10],
        [5, 10],
      ],
      [[5, 10, 2]],
    ],
    [
      'one across a gap of 256 KiB',
      [
        [0, 10],
        [10 + 256 * kibibyte, 10],
      ],
      [[0, 20 + 256 * kibibyte, 2]],
    ],
    [
      'two across a larger gap',
      [
        [0, 10],
        [11 + 256 * kibibyte, 10],
      ],
      [
        [0, 10, 1],
        [11 + 256 * kibibyte, 10, 1],
      ],
    ],
    [
      'two when one would have more than 4 MiB',
      [
        [0, 2 * mebibyte],
        [2 * mebibyte, 2 * mebibyte],
        [4 * mebibyte, 1],
      ],
      [
        [0, 4 * mebibyte, 2],
        [4 * mebibyte, 1, 1],
      ],
    ],
  ]
  for (const [what, messages, ranges] of rows)
    it(`are ${what}`, () =>
      assert.deepEqual(
        planReads(messages.map(([offset, length]) => at(offset, length))).map(
          ({ offset, length, references }) => [offset, length, references.length],
        ),
        ranges,
      ))
})

/** A bucket that counts the requests. */
function bucket(objects: Record<string, Buffer>) {
  const ranges: string[] = []
  const reader = new ContentReader({
    send: async ({ input }: { input: { Key: string; Range: string } }) => {
      const [, from, to] = /bytes=(\d+)-(\d+)/.exec(input.Range) ?? []
      ranges.push(`${input.Key} ${input.Range}`)
      const object = objects[input.Key]
      if (object === undefined) throw Object.assign(new Error('no such key'), { name: 'NoSuchKey' })
      return {
        Body: (async function* () {
          yield object.subarray(Number(from), Number(to) + 1)
        })(),
      }
    },
  } as unknown as ConstructorParameters<typeof ContentReader>[0])
  return { ranges, read: sharedReads(reader) }
}

const contents = ['first', 'second message', 'third'].map((text) => Buffer.from(text))
const references = segmentReferences('content', 'segments/a', contents)
const [first, second, third] = references as [ContentReference, ContentReference, ContentReference]
const segment = Buffer.concat(contents)

describe('the messages of a batch', () => {
  it('are read with one request when they are in one segment', async () => {
    const { ranges, read } = bucket({ 'segments/a': segment })
    assert.deepEqual(await Promise.all(references.map(read)), contents)
    assert.deepEqual(ranges, ['segments/a bytes=0-23'])
  })

  it('are read with a request each when they are in different segments, or asked for one after another', async () => {
    const elsewhere = { ...first, key: 'segments/b' }
    const { ranges, read } = bucket({ 'segments/a': segment, 'segments/b': segment })
    await Promise.all([read(second), read(elsewhere)])
    await read(third)
    assert.deepEqual(ranges, ['segments/a bytes=5-18', 'segments/b bytes=0-4', 'segments/a bytes=19-23'])
  })

  it('are verified one by one: a damaged message does not affect its neighbours', async () => {
    const damaged = Buffer.from(segment)
    damaged[7] = 0
    const { read } = bucket({ 'segments/a': damaged })
    const results = await Promise.allSettled(references.map(read))
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
  })

  it('all fail with the error of their request', async () => {
    const { read } = bucket({})
    for (const result of await Promise.allSettled(references.map(read)))
      assert.equal(result.status === 'rejected' && result.reason.name, 'NoSuchKey')
  })
})
