import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cleanName, maxNameLength, nameFault } from '../../../shared/connectors/connector-name.ts'
import { InboundConnectorInput } from '../../../shared/connectors/schema.ts'

const inbound = { connectorType: 'Partner', senderDomains: ['contoso.example'] }
const isAccepted = (name: string) => InboundConnectorInput.safeParse({ ...inbound, name }).success

const refused: [description: string, name: string, fault: string][] = [
  ['an escape', 'a\u001b[2Jb', 'U+001B'],
  ['a C1 control', 'a\u009b2Jb', 'U+009B'],
  ['a bidirectional control', 'a\u202eb', 'U+202E'],
  ['a zero-width space', 'a\u200bb', 'U+200B'],
  ['a zero-width joiner', 'a\u200db', 'U+200D'],
  ['a line separator', 'a\u2028b', 'U+2028'],
  ['a tag character', 'a\u{e0041}b', 'U+E0041'],
  ['a variation selector', 'a\ufe0fb', 'U+FE0F'],
  ['a Hangul filler', 'a\u3164b', 'U+3164'],
  ['a soft hyphen', 'a\u00adb', 'U+00AD'],
  ['an unassigned code point', 'a\u0378b', 'U+0378'],
  ['a noncharacter', 'a\uffffb', 'U+FFFF'],
  ['a lone surrogate', 'a\ud800b', 'U+D800'],
  ['a no-break space', 'a\u00a0b', 'U+00A0'],
]
for (const [description, name, fault] of refused)
  test(`a connector's name cannot have ${description}`, () => {
    assert.equal(nameFault(name), `has the invisible character ${fault}`)
    assert.equal(isAccepted(name), false)
  })

for (const name of ['From Contoso (2)', 'Müller & Söhne', '株式会社', 'Ελλάδα', 'عربي', '😀'])
  test(`a connector's name can be ${name}`, () => assert.equal(isAccepted(name), true))

test('a name without its surrounding spaces is stored', () =>
  assert.equal(InboundConnectorInput.parse({ ...inbound, name: ' a b ' }).name, 'a b'))

test('cleanName returns an empty text or a valid name, and leaves a valid name unchanged', () => {
  const anyName = fc.string({
    unit: fc.constantFrom('a', ' ', '\u00a0', '\n', '\u202e', '\u{e0041}', '\u{1f600}'),
  })
  fc.assert(
    fc.property(fc.oneof(anyName, fc.string({ unit: 'binary', maxLength: 80 })), (text) => {
      const name = cleanName(text)
      assert.ok(name === '' || isAccepted(name), JSON.stringify(name))
      if (text.length <= maxNameLength && isAccepted(text) && text.trim() === text) assert.equal(name, text)
    }),
    { numRuns: 1000 },
  )
})
