import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { certificateHasName, certificateNameMatches } from '../../../shared/tls/names.ts'

describe('a certificate name (RFC 9525)', () => {
  const rows: [presented: string, expected: string, matches: boolean][] = [
    ['mail.example.com', 'mail.example.com', true],
    ['*.example.com', 'mail.example.com', true],
    ['*.example.com', 'a.mail.example.com', false],
    ['*.example.com', 'example.com', false],
    ['mail.example.com', '*.example.com', true],
    ['a.mail.example.com', '*.example.com', false],
    ['example.com', '*.example.com', false],
    ['*.example.com', '*.example.com', true],
    ['*.com', '*.example.com', false],
    ['mail.example.com', 'example.com', false],
    ['mail.example.com.evil.example', 'mail.example.com', false],
    ['evilmail.example.com', 'mail.example.com', false],
  ]
  for (const [presented, expected, matches] of rows)
    test(`${presented} ${matches ? 'matches' : 'does not match'} ${expected}`, () =>
      assert.equal(certificateNameMatches(presented, expected), matches))
})

describe('a certificate', () => {
  const rows: [name: string, subjectAltNames: string[], commonName: string | null, has: boolean][] = [
    ['with the alternative name', ['other.example', 'Mail.Example.com'], null, true],
    ['with the CN and no alternative name', [], 'mail.example.com', true],
    ['with the CN beside other alternative names', ['other.example'], 'mail.example.com', false],
    ['with a CN that is no host name', [], 'Mail Server', false],
    ['with no name', [], null, false],
    ['with `*` for everything', ['*'], null, false],
    ['with a wildcard inside a label', ['m*.example.com'], null, false],
    ['with a NUL in its name', ['mail.example.com\0.evil.example'], null, false],
  ]
  for (const [name, subjectAltNames, commonName, has] of rows)
    test(`${name} ${has ? 'has' : 'does not have'} the name mail.example.com`, () =>
      assert.equal(certificateHasName({ subjectAltNames, commonName }, ['mail.example.com']), has))
})
