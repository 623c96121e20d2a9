import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { domainOf } from '../../../shared/mail/address.ts'
import { domainMatchesPattern, normaliseDomain, normaliseDomainPattern } from '../../../shared/mail/domain.ts'

describe('the comparable form of a domain', () => {
  const rows: [name: string, comparable: string | null][] = [
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['b\u00fccher.example', 'xn--bcher-kva.example'],
    ['B\u00dcCHER.example', 'xn--bcher-kva.example'],
    ['_dmarc.example.com', '_dmarc.example.com'],
    ['localhost', 'localhost'],
    ['', null],
    ['.', null],
    ['a..b', null],
    ['-a.example', null],
    ['a b.example', null],
    ['a@b', null],
    ['*.example.com', null],
    ['127.0.0.1', null],
    ['0x7f.1', null],
    ['[192.0.2.1]', null],
    [`${'a'.repeat(64)}.example`, null],
    [`${'a.'.repeat(130)}example`, null],
  ]
  for (const [name, comparable] of rows)
    test(`is ${JSON.stringify(comparable)} for ${JSON.stringify(name)}`, () =>
      assert.equal(normaliseDomain(name), comparable))
  test('does not change when it is converted again', () => {
    fc.assert(
      fc.property(fc.domain(), (name) => {
        const converted = normaliseDomain(name)
        if (converted !== null) assert.equal(normaliseDomain(converted), converted)
      }),
    )
  })
  test('is the same for a domain with and without a trailing dot', () => {
    // A name with a trailing dot is always converted by domainToASCII, the slower of the two ways.
    const label = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/),
      fc.constantFrom('xn--bcher-kva', 'xn--', 'a--b', '0x7f', '127', 'a'.repeat(63), 'b'.repeat(64)),
    )
    const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'))
    fc.assert(
      fc.property(name, (name) => assert.equal(normaliseDomain(name), normaliseDomain(`${name}.`))),
      { numRuns: 2000 },
    )
  })
})

describe('the comparable form of a domain pattern', () => {
  const rows: [pattern: string, comparable: string | null][] = [
    ['*', '*'],
    ['*.Example.com', '*.example.com'],
    ['*.', null],
    ['**', null],
    ['a.*.example', null],
    ['*a.example', null],
  ]
  for (const [pattern, comparable] of rows)
    test(`is ${JSON.stringify(comparable)} for ${JSON.stringify(pattern)}`, () =>
      assert.equal(normaliseDomainPattern(pattern), comparable))
})

describe('a domain compared with a pattern', () => {
  const rows: [domain: string, pattern: string, matches: boolean][] = [
    ['example.com', 'example.com', true],
    ['a.example.com', 'example.com', false],
    ['example.com', '*.example.com', true],
    ['a.b.example.com', '*.example.com', true],
    ['notexample.com', '*.example.com', false],
    ['anything', '*', true],
  ]
  for (const [domain, pattern, matches] of rows)
    test(`${domain} ${matches ? 'matches' : 'does not match'} the pattern ${pattern}`, () =>
      assert.equal(domainMatchesPattern(domain, pattern), matches))
})

describe('the domain of an address', () => {
  const rows: [address: string, domain: string | null][] = [
    ['a@Example.com', 'example.com'],
    ['"a@evil.example"@example.com', 'example.com'],
    ['a@[192.0.2.1]', null],
    ['a@[IPv6:2001:db8::1]', null],
    ['postmaster', null],
    ['', null],
  ]
  for (const [address, domain] of rows)
    test(`is ${JSON.stringify(domain)} for ${JSON.stringify(address)}`, () =>
      assert.equal(domainOf(address), domain))
})
