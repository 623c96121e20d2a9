import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createAddressHash, hashedAddress, mailboxOf } from '../../../shared/mail/address-hash.ts'
import { ErasedAddress } from '../../../shared/mail/erased-address.ts'

const hash = createAddressHash('k'.repeat(64))
const hashOf = (address: string) => hash(mailboxOf(address))

test('a hash has 80 bits, depends on the whole address and the key, and is that of HMAC-SHA256', () => {
  // printf 'ANN@ours.example' | openssl dgst -sha256 -hmac kkkk…k
  assert.equal(hashOf('ann@ours.example'), 'hashed-860d5d36f4de4b1b4939')
  const hashes = [
    hashOf('ann@ours.example'),
    hashOf('ann@ours.example.org'),
    hashOf('joann@ours.example'),
    hashOf('ann+tag@ours.example'),
    hashOf('ann'),
    createAddressHash('l'.repeat(64))(mailboxOf('ann@ours.example')),
  ]
  for (const each of hashes) assert.match(each, /^hashed-[0-9a-f]{20}$/)
  assert.equal(new Set(hashes).size, hashes.length)
})

describe('addresses have the same hash exactly if an erasure takes them for one', () => {
  const rows: [one: string, other: string][] = [
    ['ann@ours.example', 'ANN@Ours.EXAMPLE'],
    ['ann@ours.example', '"ann"@ours.example'],
    ['ann@ours.example', '"a\\nn"@ours.example'],
    ['ann@ours.example', 'ann@ours.example.'],
    ['ann@bücher.example', 'ann@xn--bcher-kva.example'],
    ['jürgen@ours.example', 'JÜRGEN@ours.example'],
    ['ñ@ours.example', 'Ñ@ours.example'],
    ['"a b"@ours.example', '"A b"@ours.example'],
    ['ann@[192.0.2.1]', 'Ann@[192.0.2.1]'],
    ['ann@[IPv6:::1]', 'ann@[ipv6:::1]'],
    // Other mailboxes.
    ['kim@ours.example', '\u212aim@ours.example'],
    ['strasse@ours.example', 'straße@ours.example'],
    ['s@ours.example', '\u017f@ours.example'],
    ['ann@ours.example', 'ann+tag@ours.example'],
    ['ann@ours.example', '"a nn"@ours.example'],
    ['ann@ours.example', 'ann@sub.ours.example'],
    ['ann@ours.example', 'joann@ours.example'],
  ]
  for (const [one, other] of rows)
    test(`${one} and ${other}`, () => {
      const isOne = new ErasedAddress(mailboxOf(one), 'erased-1').isSpelled(other)
      assert.equal(hashOf(one) === hashOf(other), isOne)
    })
})

for (const [address, domain] of [
  ['Ann@Ours.Example', '@Ours.Example'],
  ['"a@b"@ours.example', '@ours.example'],
  ['ann', ''],
])
  test(`of ${address} the domain stays as it is spelled`, () => {
    assert.equal(hashedAddress(`${address}`, hash), `${hashOf(`${address}`)}${domain}`)
  })
