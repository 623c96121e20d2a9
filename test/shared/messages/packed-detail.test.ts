import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { detailDictionaries } from '../../../shared/messages/detail-dictionaries.ts'
import { packDetail, unpackDetail } from '../../../shared/messages/packed-detail.ts'
import { attempt, authenticatedMessage } from '../../support/fixtures.ts'

describe('a packed detail', () => {
  test('unpacks to the same JSON, whatever it contains', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.deepEqual(unpackDetail(packDetail({ value })), JSON.parse(JSON.stringify({ value })))
      }),
    )
  })

  test('is read from any Uint8Array, also from a part of a larger buffer', () => {
    const packed = packDetail({ a: 'é' })
    const larger = new Uint8Array([1, ...packed, 1]).subarray(1, -1)
    assert.deepEqual(unpackDetail(larger), { a: 'é' })
  })

  for (const [name, detail, maxShare] of [
    ['a message', authenticatedMessage(), 0.3],
    ['an attempt', attempt(), 0.3],
  ] as const)
    test(`of ${name} has less than ${maxShare * 100} % of the octets of its JSON`, () => {
      const share = packDetail(detail).length / JSON.stringify(detail).length
      assert.ok(share < maxShare, String(share))
    })

  test('of an unknown version is refused', () => {
    assert.throws(() => unpackDetail(Buffer.of(250, 1, 2)), /unknown dictionary 250/)
    assert.throws(() => unpackDetail(new Uint8Array()), /unknown dictionary undefined/)
  })
})

/** Stored items need their dictionary, so a row is never changed. A new dictionary adds one. */
const digests = ['c1a6648386429c5098d7fb2423f3fc5eb59db528afd76a0e09cf2188cee5e167']

test('no dictionary was changed', () => {
  assert.deepEqual(
    detailDictionaries.map((dictionary) => createHash('sha256').update(dictionary).digest('hex')),
    digests,
  )
})

test('a detail of every version can be read', () => {
  for (const [version, dictionary] of detailDictionaries.entries()) {
    const packed = Buffer.concat([Buffer.of(version), deflateRawSync('{"number":1}', { dictionary })])
    assert.deepEqual(unpackDetail(packed), { number: 1 })
  }
})
