import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { waivesTls } from '../../../shared/mail/waives-tls.ts'

const headers: [name: string, content: string, waives: boolean][] = [
  ['the field', 'TLS-Required: No\r\n\r\nbody', true],
  ['the field in other letter case with white space', 'tls-REQUIRED \t: \t no \t\r\n\r\nbody', true],
  ['the field on two lines', 'TLS-Required:\r\n No\r\n\r\nbody', true],
  ['a header without a body', 'Subject: x\r\nTLS-Required: No', true],
  ['the field twice', 'TLS-Required: No\r\nTLS-Required: No\r\n\r\n', false],
  ['the field with a second value', 'TLS-Required: No\r\nTLS-Required: Yes\r\n\r\n', false],
  ['another value', 'TLS-Required: Nope\r\n\r\n', false],
  ['a value that continues on the next line', 'TLS-Required: No\r\n pe\r\n\r\n', false],
  ['the field in the body', 'Subject: x\r\n\r\nTLS-Required: No\r\n', false],
  ['an empty header', '\r\n\r\nTLS-Required: No\r\n', false],
  ['the field inside another', 'Subject: x\r\n TLS-Required: No\r\n\r\n', false],
  ['a longer name', 'X-TLS-Required: No\r\n\r\n', false],
]

describe('the waiver of TLS', () => {
  for (const [name, content, waives] of headers)
    it(`${waives ? 'is found' : 'is not found'} in ${name}`, () =>
      assert.equal(waivesTls(Buffer.from(content)), waives))

  it('is not searched in a header above the limit, whose lines would take all memory', () => {
    const endless = Buffer.from(`TLS-Required: No\r\n${'ab\r\n'.repeat(1_000_000)}`)
    assert.equal(waivesTls(endless.subarray(0, 200_002)), true)
    assert.equal(waivesTls(endless), false)
  })
})
