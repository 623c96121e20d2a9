import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dkimBody } from 'mailauth/lib/dkim/body/index.js'
import { BodyHashes } from '../../../shared/authentication/body-hash.ts'
import { Random } from '../../support/random.ts'

type Limit = number | ''

function hashOf(body: Buffer, form: 'simple' | 'relaxed', limit: Limit, pieceOctets = body.length || 1) {
  const bodies = new BodyHashes()
  const hash = bodies.add(form, 'sha256', limit)
  for (let at = 0; at < body.length; at += pieceOctets) bodies.update(body.subarray(at, at + pieceOctets))
  bodies.finish()
  const digest = hash.digest('base64')
  return { digest, hashed: hash.bodyHashedBytes, total: hash.canonicalizedLength }
}

describe('the hash of a body', () => {
  for (const [title, form, body, expected] of [
    ['that is empty, simple (RFC 6376 §3.4.3)', 'simple', '', 'frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY='],
    [
      'that is empty, relaxed (RFC 6376 §3.4.4)',
      'relaxed',
      '',
      '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
    ],
    ['of spaces, relaxed', 'relaxed', ' \t\r\n \r\n', '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='],
  ] as const)
    it(title, () => assert.equal(hashOf(Buffer.from(body), form, '').digest, expected))
})

it('the package computes the same hash, whatever the body and its pieces', () => {
  const random = new Random(6376)
  for (let run = 0; run < 400; run++) {
    const parts = Array.from({ length: random.between(0, 12) }, () =>
      random.of([' ', '\t', '\r\n', 'ab', 'c', '\r']),
    )
    const body = Buffer.from(parts.join(''))
    const form = random.of(['simple', 'relaxed'] as const)
    const limit = random.of<Limit>(['', 0, 1, 3, 100])
    const reference = dkimBody(form, 'sha256', limit)
    reference.update(body)
    const digest = reference.digest('base64')
    const expected = { digest, hashed: reference.bodyHashedBytes, total: reference.canonicalizedLength }
    assert.deepEqual(
      hashOf(body, form, limit, random.between(1, 5)),
      expected,
      JSON.stringify([form, limit, parts]),
    )
  }
})
