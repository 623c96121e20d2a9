import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { waivesTls } from '../../../shared/mail/waives-tls.ts'

const headers: [name: string, content: string, waives: boolean][] = [
  ['the field TLS-Required: No', 'TLS-Required: No\r\n\r\nbody', true],
  ['the field in other letter case with white space', 'tls-REQUIRED \t: \t no \t\r\n\r\nbody', true],
  ['the field on two lines', 'TLS-Required:\r\n No\r\n\r\nbody', true],
  ['the field in a header without a body', 'Subject: x\r\nTLS-Required: No', true],
  ['the field twice', 'TLS-Required: No\r\nTLS-Required: No\r\n\r\n', false],
  ['the field with a second value', 'TLS-Required: No\r\nTLS-Required: Yes\r\n\r\n', false],
  ['the field with the value Nope', 'TLS-Required: Nope\r\n\r\n', false],
  ['the value No that continues on the next line', 'TLS-Required: No\r\n pe\r\n\r\n', false],
  ['the field in the body', 'Subject: x\r\n\r\nTLS-Required: No\r\n', false],
  ['the field after an empty header section', '\r\n\r\nTLS-Required: No\r\n', false],
  ['a continuation line that looks like the field', 'Subject: x\r\n TLS-Required: No\r\n\r\n', false],
  ['the field X-TLS-Required: No', 'X-TLS-Required: No\r\n\r\n', false],
]

describe('waivesTls', () => {
  for (const [name, content, waives] of headers)
    it(`is ${waives} for ${name}`, () => assert.equal(waivesTls(Buffer.from(content)), waives))

  it('is false for a header above the size limit, which is not searched, because its lines could take all memory', () => {
    const endless = Buffer.from(`TLS-Required: No\r\n${'ab\r\n'.repeat(1_000_000)}`)
    assert.equal(waivesTls(endless.subarray(0, 200_002)), true)
    assert.equal(waivesTls(endless), false)
  })
})
