import assert from 'node:assert/strict'
import { test } from 'node:test'
import { envelopeOf, withAsciiDomain, xtext } from '../../../functions/smtp-ingress/transaction.ts'

const encoded: [value: string, xtext: string][] = [
  ['rfc822;b@ours.example', 'rfc822;b@ours.example'],
  ['rfc822;b+tag=1@ours.example', 'rfc822;b+2Btag+3D1@ours.example'],
  ['rfc822;a b', 'rfc822;a+20b'],
  ['utf-8;jörg@ours.example', 'utf-8;j\\x{F6}rg@ours.example'],
  ['utf-8;😀', 'utf-8;\\x{1F600}'],
]

for (const [value, expected] of encoded)
  test(`${value} travels as ${expected}`, () => assert.equal(xtext(value), expected))

test('REQUIRETLS is part of the envelope', () => {
  const sender = { address: 'a@elsewhere.example', args: {} }
  assert.equal(envelopeOf(sender).requireTls, false)
  assert.equal(envelopeOf({ ...sender, args: { REQUIRETLS: true } }).requireTls, true)
})

const domains: [address: string, ascii: string][] = [
  ['', ''],
  ['a@ours.example', 'a@ours.example'],
  ['jörg@müller.example', 'jörg@xn--mller-kva.example'],
  ['a@[IPv6:::1]', 'a@[IPv6:::1]'],
  ['a@contoso.example/é', 'a@contoso.example/é'],
  ['a@contoso.example?é', 'a@contoso.example?é'],
  ['a@１２７.1', 'a@１２７.1'],
]

for (const [address, expected] of domains)
  test(`the domain of "${address}" becomes that of "${expected}"`, () =>
    assert.equal(withAsciiDomain(address), expected))
