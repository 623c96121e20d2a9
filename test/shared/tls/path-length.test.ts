import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { pathLengthOf } from '../../../shared/tls/path-length.ts'
import { createPki } from '../../support/pki.ts'

const pki = await createPki()
const octetsOf = (pem: string): Buffer => new X509Certificate(pem).raw
const authority = async (limit?: number): Promise<Buffer> => {
  const { ca } = await pki.subordinate('Below', limit === undefined ? {} : { pathLength: limit })
  return octetsOf(ca)
}

for (const limit of [0, 1, 5, 127, 128, 40_000])
  test(`pathLengthOf an authority with the constraint ${limit} is ${limit}`, async () =>
    assert.equal(pathLengthOf(await authority(limit)), limit))

test('pathLengthOf an authority without a constraint is infinite', async () =>
  assert.equal(pathLengthOf(await authority()), Number.POSITIVE_INFINITY))

test('pathLengthOf a certificate that is no authority is infinite', async () => {
  const { cert } = await pki.issue({ names: ['a.example'] })
  assert.equal(pathLengthOf(octetsOf(cert)), Number.POSITIVE_INFINITY)
})

test('pathLengthOf a truncated certificate is 0', async () => {
  const whole = await authority()
  fc.assert(
    fc.property(fc.integer({ min: 1, max: whole.length - 1 }), (length) =>
      assert.equal(pathLengthOf(whole.subarray(0, length)), 0),
    ),
  )
})

test('pathLengthOf any octets is a number and not an error', () =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
      assert.ok(pathLengthOf(Buffer.from(octets)) >= 0)
    }),
  ))
