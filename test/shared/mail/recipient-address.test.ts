import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listedLocalParts, readListedRecipient } from '../../../shared/mail/recipient-address.ts'

const entries: [entry: string, expected: { localPart: string } | RegExp][] = [
  ['Anna.Berg@Ours.Example', { localPart: 'anna.berg' }],
  ['  anna.berg ', { localPart: 'anna.berg' }],
  ['anna@OURS.example', { localPart: 'anna' }],
  ['"anna.berg"@ours.example', { localPart: 'anna.berg' }],
  ['"anna berg"@ours.example', { localPart: '"anna berg"' }],
  ['"a@b"', { localPart: '"a@b"' }],
  ['"a\\@\\b"', { localPart: '"a@b"' }],
  ['"a\\"b\\\\c"', { localPart: '"a\\"b\\\\c"' }],
  ['jörg@ours.example', { localPart: 'jörg' }],
  ['\u212a@ours.example', { localPart: '\u212a' }],
  ['anna+tag@ours.example', { localPart: 'anna+tag' }],
  ['anna@branch.example', /^"anna@branch\.example" is not an address of ours\.example$/],
  ['anna@sub.ours.example', /is not an address of ours\.example/],
  ['', /is not an address/],
  ['@ours.example', /is not an address/],
  ['anna berg@ours.example', /is not an address/],
  ['.anna@ours.example', /is not an address/],
  ['anna\u200b@ours.example', /invisible character U\+200B/],
  [`${'a'.repeat(65)}@ours.example`, /more than 64 octets/],
  ['anna\nberg', /is not an address|invisible/],
]
for (const [entry, expected] of entries)
  test(`the entry ${JSON.stringify(entry)} of a list of recipients is ${expected instanceof RegExp ? 'refused' : 'read'}`, () => {
    const read = readListedRecipient(entry, 'ours.example')
    if (expected instanceof RegExp) assert.match('fault' in read ? read.fault : 'read', expected)
    else assert.deepEqual(read, expected)
  })

const recipients: [address: string, localParts: string[]][] = [
  ['Anna@ours.example', ['anna']],
  ['Anna+News@ours.example', ['anna+news', 'anna']],
  ['anna+a+b@ours.example', ['anna+a+b', 'anna']],
  ['+tag@ours.example', ['+tag']],
  ['"Anna"@ours.example', ['anna']],
  ['"anna+tag"@ours.example', ['anna+tag', 'anna']],
  ['"anna +tag"@ours.example', ['"anna +tag"']],
]
for (const [address, localParts] of recipients)
  test(`a list names ${address} as ${localParts.join(' or ')}`, () => {
    assert.deepEqual(listedLocalParts(address), localParts)
  })

test('a local part of hostile length is read in one pass', () => {
  const fault = readListedRecipient(`"${'\\a'.repeat(100_000)}`, 'ours.example')
  assert.ok('fault' in fault && fault.fault.length < 200)
})
