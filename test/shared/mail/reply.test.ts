import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { asPermanent, asTemporary, formatReply, parseReply, reply } from '../../../shared/mail/reply.ts'

test('formatReply writes the enhanced status code between code and text', () => {
  assert.equal(formatReply(reply(550, '5.7.51', 'Restricted')), '550 5.7.51 Restricted')
  assert.equal(formatReply(reply(451, '4.3.0', 'Later')), '451 4.3.0 Later')
})

for (const [code, enhanced] of [
  [550, '4.7.51'],
  [451, '5.7.51'],
  [250, '5.0.0'],
  [550, '7.51'],
  [550, ''],
] as const)
  test(`reply() throws for the code ${code} with the enhanced status code "${enhanced}"`, () => {
    assert.throws(() => reply(code, enhanced, 'Restricted'), {
      message: `reply ${code} with the enhanced status code ${enhanced} of another class`,
    })
  })

test('asPermanent changes the class of reply code and enhanced status code to 5', () => {
  assert.equal(formatReply(asPermanent(reply(451, '4.7.321', 'No STARTTLS'))), '550 5.7.321 No STARTTLS')
  assert.equal(formatReply(asPermanent(reply(554, '5.7.1', 'No'))), '554 5.7.1 No')
})

test('asTemporary changes the class of reply code and enhanced status code to 4', () => {
  assert.equal(formatReply(asTemporary(reply(550, '5.7.51', 'Restricted'))), '451 4.7.51 Restricted')
  assert.equal(formatReply(asTemporary(reply(451, '4.3.0', 'Later'))), '451 4.3.0 Later')
})

test('asPermanent and asTemporary add no enhanced status code to a reply that has none', () => {
  const replyWithoutEnhancedCode = { code: 421, enhanced: '', text: 'Bye' }
  assert.equal(formatReply(asPermanent(replyWithoutEnhancedCode)), '550 Bye')
  assert.equal(formatReply(asTemporary({ ...replyWithoutEnhancedCode, code: 550 })), '451 Bye')
})

describe('parseReply', () => {
  const rows: [raw: string, expected: string | null][] = [
    ['250 2.0.0 Ok: queued', '250 2.0.0 Ok: queued'],
    ['250-2.0.0 Ok\r\n250 2.0.0 queued as 1', '250 2.0.0 Ok queued as 1'],
    ['550 No such user', '550 No such user'],
    ['550', '550'],
    ['550 4.1.1 The classes disagree', '550 The classes disagree'],
    ['421 4.3.2 Bye\u0007\u0000now', '421 4.3.2 Bye??now'],
    ['550 Read\u202ethis\u2028or\u0085that', '550 Read?this or that'],
    ['not a reply', null],
    ['', null],
    ['99 too short', null],
  ]
  for (const [raw, expected] of rows) {
    test(`reads ${JSON.stringify(raw)} as ${JSON.stringify(expected)}`, () => {
      const parsed = parseReply(raw)
      assert.equal(parsed && formatReply(parsed), expected)
    })
  }
  test('returns at most 500 characters of text in one line for any reply', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2000, unit: 'binary', size: 'max' }), (text) => {
        const parsed = parseReply(`550 ${text}`)
        assert.ok(parsed)
        assert.ok(parsed.text.length <= 500)
        assert.doesNotMatch(formatReply(parsed), /[\r\n\0]/)
        assert.ok(parsed.text.isWellFormed())
      }),
    )
  })
})
