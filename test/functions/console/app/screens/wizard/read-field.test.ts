/** Tests that what a control holds is read quickly, whatever is pasted. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FieldKind } from '../../../../../../functions/console/app/screens/wizard/fields.ts'
import { readField } from '../../../../../../functions/console/app/screens/wizard/read-field.ts'

const listKinds: FieldKind[] = ['Patterns', 'CertificateNames', 'Domains', 'Ranges', 'Fingerprints', 'Hosts']

describe('a pasted text', () => {
  for (const kind of listKinds) {
    test(`without a separator has a short fault (${kind})`, () => {
      const { faults } = readField({ kind }, `a${'b:'.repeat(100_000)}`)
      assert.equal(faults.length, 1)
      assert.ok((faults[0] ?? '').length < 500, `${faults[0]?.length} characters`)
    })

    test(`of five megabytes is not read entry by entry (${kind})`, () => {
      const text = Array.from({ length: 400_000 }, (_, index) => `d${index}.example`).join('\n')
      const { faults } = readField({ kind }, text)
      assert.equal(faults.length, 1)
      assert.match(faults[0] ?? '', /at most 1000000 characters/i)
    })
  }

  test('may have any mixture of separators, and trailing dots', () => {
    const { value, faults, repeated } = readField(
      { kind: 'Patterns' },
      'a.example,b.example.; c.example\td.example\r\nBÜCHER.example;;a.example.',
    )
    assert.deepEqual(faults, [])
    assert.deepEqual(value, ['a.example', 'b.example', 'c.example', 'd.example', 'xn--bcher-kva.example'])
    assert.equal(repeated, 1)
  })
})
