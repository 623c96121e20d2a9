import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { headerSection } from '../../../shared/mail/header-section.ts'

describe('the header section of', () => {
  const rows: [name: string, text: string, section: string][] = [
    ['a message', 'A: 1\r\nB: 2\r\n\r\nBody\r\n', 'A: 1\r\nB: 2\r\n'],
    ['a message without a body', 'A: 1\r\n', 'A: 1\r\n'],
    ['a message without headers', '\r\nBody\r\n', ''],
    ['headers cut in the middle of a line', 'A: 1\r\nB: cut in the mid', 'A: 1\r\n'],
    ['nothing', '', ''],
    ['a line without an end', 'A: 1', ''],
  ]
  for (const [name, text, section] of rows)
    test(name, () => assert.equal(headerSection(Buffer.from(text)).toString(), section))
})
