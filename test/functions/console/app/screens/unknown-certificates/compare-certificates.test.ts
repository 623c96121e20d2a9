import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  compareCertificates,
  differenceSentence,
} from '../../../../../../functions/console/app/screens/unknown-certificates/compare-certificates.ts'
import { unknownCertificate } from './unknown-certificates.ts'

const { presented, accepted } = unknownCertificate()

test('differences are said in words, for each field', () => {
  const fields = compareCertificates(presented, accepted)
  assert.deepEqual(
    fields.map(({ label, difference }) => [label, difference]),
    [
      ['Issuer', 'Same'],
      ['Names', 'Different: 1 added, 1 missing'],
      ['Subject', 'Different'],
      ['Valid from', 'Same'],
      ['Valid until', 'Same'],
      ['Key', 'Same'],
      ['Serial number', 'Different'],
      ['Fingerprint (SHA-256)', 'Different'],
    ],
  )
  assert.equal(
    differenceSentence(fields),
    'Different: names, subject, serial number, fingerprint (SHA-256). Same: issuer, valid from, valid until, key.',
  )
})

test('the order and letter case of names make no difference', () => {
  const names = (...subjectAltNames: string[]) => ({ ...presented, subjectAltNames })
  const fields = compareCertificates(names('B.example', 'a.example'), names('a.example', 'b.example'))
  assert.equal(fields.find(({ label }) => label === 'Names')?.difference, 'Same')
})

test('of keys that cannot be read, it is unknown whether they are the same', () => {
  const unreadable = { ...presented, keyType: null, publicKeyFingerprint256: null }
  const key = compareCertificates(unreadable, unreadable).find(({ label }) => label === 'Key')
  assert.deepEqual([key?.presented, key?.difference], [['unreadable'], 'Unknown'])
})

test('without an accepted certificate there is no difference', () => {
  const fields = compareCertificates(presented, null)
  assert.ok(fields.every(({ difference }) => difference === ''))
  assert.match(differenceSentence(fields), /^No accepted certificate is on record/)
})

test('a certificate that was accepted before is named as such', () => {
  assert.equal(
    differenceSentence(compareCertificates(presented, presented)),
    'The connector accepted this same certificate before.',
  )
})

test('of many names, the first are shown, with the number of the others', () => {
  const many = { ...presented, subjectAltNames: Array.from({ length: 25 }, (_, index) => `${index}.example`) }
  const names = compareCertificates(many, null).find(({ label }) => label === 'Names')
  assert.equal(names?.presented.length, 21)
  assert.equal(names?.presented.at(-1), 'and 5 more')
})
