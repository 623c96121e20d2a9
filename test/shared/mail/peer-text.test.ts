import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replaceInvisible, toSingleLine } from '../../../shared/mail/peer-text.ts'

const rows: [name: string, text: string, expected: string][] = [
  ['plain text unchanged', 'CN=mail.contoso.example, O=Contoso', 'CN=mail.contoso.example, O=Contoso'],
  ['other scripts unchanged', 'O=Müller & Söhne, 株式会社', 'O=Müller & Söhne, 株式会社'],
  ['each line break as ?', 'CN=a\r\n\nSubject: forged', 'CN=a???Subject: forged'],
  ['line and paragraph separators as ?', 'a\u2028b\u2029c', 'a?b?c'],
  ['direction marks as ?', 'CN=\u202egro.evil\u202c', 'CN=?gro.evil?'],
  ['zero-width characters as ?', 'con\u200btoso', 'con?toso'],
  ['lone surrogates as ?', 'a\ud800b', 'a?b'],
  [
    'characters that show nothing as ?',
    '\u00ada\u3164b\ufe0fc\u034fd\u2800e\u{1d159}f\u{16fe4}',
    '?a?b?c?d?e?f?',
  ],
  ['tag characters as one ? each', 'a\u{e0041}\u{e0042}', 'a??'],
  ['unassigned and private code points as ?', '\u0378\ue000\ufdd0', '???'],
  ['spaces except U+0020 as ?', 'a b\u00a0c\u3000d', 'a b?c?d'],
  ['terminal escapes as ?', '\u001b[2Jgone', '?[2Jgone'],
]
for (const [name, text, expected] of rows)
  test(`replaceInvisible returns ${name}`, () => assert.equal(replaceInvisible(text), expected))

const lines: [name: string, text: string, line: string][] = [
  ['a space for line breaks and tabs', ' a\r\n\tb\u0085\u2028c ', 'a b c'],
  ['? for a direction mark and a terminal escape', 'a\u202eb\u001b[2J\u009b', 'a?b?[2J?'],
  ['a space for spaces of other widths', 'a\u00a0\u2003b', 'a b'],
  ['? for a character that shows nothing', 'a\u00adb\u{e0041}', 'a?b?'],
  ['the first 10 UTF-16 units of longer text', '0123456789abc', '0123456789'],
  ['U+FFFD for a character that the cut would split', '012345678\u{1f600}', '012345678\ufffd'],
]
for (const [name, text, line] of lines)
  test(`toSingleLine with the limit 10 returns ${name}`, () => assert.equal(toSingleLine(text, 10), line))
