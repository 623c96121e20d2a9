import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inOneLine, visible } from '../../../shared/mail/peer-words.ts'

const rows: [name: string, text: string, shown: string][] = [
  ['what is plain', 'CN=mail.contoso.example, O=Contoso', 'CN=mail.contoso.example, O=Contoso'],
  ['what is written in other letters', 'O=Müller & Söhne, 株式会社', 'O=Müller & Söhne, 株式会社'],
  ['no line break', 'CN=a\r\n\nSubject: forged', 'CN=a???Subject: forged'],
  ['no line or paragraph separator', 'a\u2028b\u2029c', 'a?b?c'],
  ['no change of direction', 'CN=\u202egro.evil\u202c', 'CN=?gro.evil?'],
  ['nothing of no width', 'con\u200btoso', 'con?toso'],
  ['no half of a character', 'a\ud800b', 'a?b'],
  ['no escape of a terminal', '\u001b[2Jgone', '?[2Jgone'],
]
for (const [name, text, shown] of rows)
  test(`what a peer is called shows ${name}`, () => assert.equal(visible(text), shown))

const lines: [name: string, text: string, line: string][] = [
  ['is one line', ' a\r\n\tb ', 'a b'],
  ['keeps its direction', 'Read\u202ethis', 'Read this'],
  ['is cut', '0123456789abc', '0123456789'],
  ['is not cut within a character', '012345678\u{1f600}', '012345678\ufffd'],
]
for (const [name, text, line] of lines)
  test(`what a peer says ${name}`, () => assert.equal(inOneLine(text, 10), line))
