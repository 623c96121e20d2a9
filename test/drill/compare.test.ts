import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareStates, type GatewayState, reportText } from './compare.ts'

const before: GatewayState = {
  'inbound connectors': { A: { name: 'bank', versions: [1, 2] }, B: { name: 'clinic', versions: [] } },
  messages: { M: { recipients: [{ state: 'Deferred', until: null }] } },
}
const bank = before['inbound connectors']?.A
const clinic = before['inbound connectors']?.B

const rows: [what: string, after: GatewayState, differences: string[]][] = [
  ['equal states', structuredClone(before), []],
  [
    'a missing connector',
    { ...before, 'inbound connectors': { A: bank } },
    ['inbound connectors: B is missing'],
  ],
  [
    'an added connector',
    { ...before, 'inbound connectors': { A: bank, B: clinic, C: clinic } },
    ['inbound connectors: C was not there before'],
  ],
  [
    'a missing subject',
    { messages: before.messages ?? {} },
    ['inbound connectors: A is missing', 'inbound connectors: B is missing'],
  ],
  [
    'a changed field in a list',
    { ...before, messages: { M: { recipients: [{ state: 'Pending', until: null }] } } },
    ['messages: M.recipients.0.state was "Deferred", is "Pending"'],
  ],
  [
    'a shorter list',
    { ...before, messages: { M: { recipients: [] } } },
    ['messages: M.recipients.0 was {"state":"Deferred","until":null}, is undefined'],
  ],
]

for (const [what, after, differences] of rows)
  test(`a comparison finds ${differences.length} differences with ${what}`, () => {
    const comparisons = compareStates(before, after)
    assert.deepEqual(
      comparisons.flatMap((each) => each.differences.map((difference) => `${each.subject}: ${difference}`)),
      differences,
    )
    const total =
      differences.length === 0
        ? 'Nothing differs.'
        : `Differences: ${differences.length}. The restore failed.`
    assert.deepEqual(
      reportText(comparisons)
        .split('\n')
        .slice(-1 - differences.length),
      [...differences, total],
    )
  })

test('the report has a row for each subject', () => {
  assert.equal(
    reportText(compareStates(before, { messages: before.messages ?? {} })).split('\n\n')[0],
    'Compared            Before  After  Result\ninbound connectors  2       0      2 different\nmessages            1       1      equal',
  )
})
