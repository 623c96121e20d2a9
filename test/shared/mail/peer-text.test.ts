import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replaceInvisible, toSingleLine } from '../../../shared/mail/peer-text.ts'

const rows: [name: string, text: string, expected: string][] = [
  ['plain text unchanged', 'CN=mail.contoso.example, O=Contoso', 'CN=mail.contoso.example, O=Contoso'],
  ['other scripts unchanged', 'O=Müller & Söhne, 株式会社', 'O=Müller & Söhne, 株式会社'],
  ['line breaks as ?', 'CN=a\r\n\nSubject: forged', 'CN=a???Subject: forged'],
  ['line and paragraph separators as ?', 'a\u2028b\u2029c', 'a?b?c'],
  ['direction marks as ?', 'CN=\u202egro.evil\u202c', 'CN=?gro.evil?'],
  ['zero-width characters as ?', 'con\u200btoso', 'con?toso'],
  ['lone surrogates as ?', 'a\ud800b', 'a?b'],
  ['terminal escapes as ?', '\u001b[2Jgone', '?[2Jgone'],
]
for (const [name, text, expected] of rows)
  test(`a name from a peer shows ${name}`, () => assert.equal(replaceInvisible(text), expected))

const lines: [name: string, text: string, line: string][] = [
  ['is one line', ' a\r\n\tb ', 'a b'],
  ['loses its direction marks', 'Read\u202ethis', 'Read this'],
  ['is cut', '0123456789abc', '0123456789'],
  ['is not cut inside a character', '012345678\u{1f600}', '012345678\ufffd'],
]
for (const [name, text, line] of lines)
  test(`prose from a peer ${name}`, () => assert.equal(toSingleLine(text, 10), line))
