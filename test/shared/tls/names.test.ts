import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { certificateHasName, certificateNameMatches } from '../../../shared/tls/names.ts'

describe('a name in a certificate, compared with an expected name (RFC 9525)', () => {
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
    ['with it as alternative name in another letter case', ['other.example', 'Mail.Example.com'], null, true],
    ['with it as CN and no alternative name', [], 'mail.example.com', true],
    ['with it as CN beside another alternative name', ['other.example'], 'mail.example.com', false],
    ['with a CN that is no host name', [], 'Mail Server', false],
    ['with a dot at the end of its alternative name', ['mail.example.com.'], null, false],
    ['with a dot at the end of its CN', [], 'mail.example.com.', false],
    ['with a dot at the end of a wildcard', ['*.example.com.'], null, false],
    ['without any name', [], null, false],
    ['with `*` as alternative name', ['*'], null, false],
    ['with a wildcard within a label', ['m*.example.com'], null, false],
    ['with it before a NUL in an alternative name', ['mail.example.com\0.evil.example'], null, false],
  ]
  for (const [name, subjectAltNames, commonName, has] of rows)
    test(`${has ? 'counts' : 'does not count'} as one for mail.example.com ${name}`, () =>
      assert.equal(certificateHasName({ subjectAltNames, commonName }, ['mail.example.com']), has))
})
