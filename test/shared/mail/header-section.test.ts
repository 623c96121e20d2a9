import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { headerSection } from '../../../shared/mail/header-section.ts'

describe('the header section', () => {
  const rows: [name: string, text: string, section: string][] = [
    ['a message with two headers and a body', 'A: 1\r\nB: 2\r\n\r\nBody\r\n', 'A: 1\r\nB: 2\r\n'],
    ['a message without a body', 'A: 1\r\n', 'A: 1\r\n'],
    ['a message without headers', '\r\nBody\r\n', ''],
    ['a message that is cut in the second header', 'A: 1\r\nB: cut in the mid', 'A: 1\r\n'],
    ['no octets', '', ''],
    ['a single line without CRLF', 'A: 1', ''],
  ]
  for (const [name, text, section] of rows)
    test(`of ${name} is ${JSON.stringify(section)}`, () =>
      assert.equal(headerSection(Buffer.from(text)).toString(), section))
})
