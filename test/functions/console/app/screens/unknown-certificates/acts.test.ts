import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UnknownCertificate } from '../../../../../../functions/console/app/api/types.ts'
import {
  type Act,
  actsOf,
  actTitle,
  mailEffects,
} from '../../../../../../functions/console/app/screens/unknown-certificates/acts.ts'
import { groupByConnector } from '../../../../../../functions/console/app/screens/unknown-certificates/group-certificates.ts'
import {
  admitsText,
  mailPath,
} from '../../../../../../functions/console/app/screens/unknown-certificates/unknown-text.ts'
import { unknownCertificate } from './unknown-certificates.ts'

const titles = (fields: Partial<UnknownCertificate>) => actsOf(unknownCertificate(fields)).map(actTitle)
const { connector } = unknownCertificate()

test('the acts are in the order of safety', () => {
  assert.deepEqual(titles({}), [
    'Not theirs: dismiss',
    'Hold the mail',
    'Add the fingerprint',
    'Add the name',
  ])
})

const cases: [name: string, Partial<UnknownCertificate>, expected: string[]][] = [
  [
    'a dismissed certificate can still be added',
    { state: 'Dismissed' },
    ['Hold the mail', 'Add the fingerprint', 'Add the name'],
  ],
  ['a resolved certificate needs no act', { state: 'Resolved' }, []],
  [
    'a connector that holds mail is not offered to hold it',
    { connector: { ...connector, onViolation: 'Defer' }, proposals: [] },
    ['Not theirs: dismiss'],
  ],
  [
    'a connector in ReportOnly is not offered to hold mail',
    { connector: { ...connector, mode: 'ReportOnly' }, proposals: [] },
    ['Not theirs: dismiss'],
  ],
  [
    'a connector of the organisation’s servers is not offered to hold mail',
    { connector: { ...connector, connectorType: 'OnPremises' }, proposals: [] },
    ['Not theirs: dismiss'],
  ],
]
for (const [name, fields, expected] of cases) test(name, () => assert.deepEqual(titles(fields), expected))

const dismiss: Act = { kind: 'Dismiss', role: 'operate' }
const dismissals: [string, Partial<typeof connector>, RegExp][] = [
  ['refused', {}, /it is refused/],
  ['held', { onViolation: 'Defer' }, /it waits, and bounces at its expiry/],
  ['recorded', { mode: 'ReportOnly' }, /it is accepted and recorded/],
]
for (const [name, fields, expected] of dismissals)
  test(`a dismissal says that mail is ${name} as before`, () => {
    const certificate = unknownCertificate({ connector: { ...connector, ...fields } })
    assert.match(mailEffects(dismiss, certificate)[0] ?? '', expected)
  })

test('an addition says the effect on mail that waits, and on mail that was refused', () => {
  const [, , add = dismiss] = actsOf(unknownCertificate())
  const [effect = assert.fail('no effect')] = unknownCertificate().effects
  const effects = (names: ('Held' | 'Refused')[]) =>
    mailEffects(
      add,
      unknownCertificate({ effects: names.map((name) => ({ ...effect, effect: name })) }),
    ).join(' ')
  assert.match(effects(['Held']), /Mail that waits .* is delivered/)
  assert.doesNotMatch(effects(['Held']), /send it again/)
  assert.match(effects(['Refused']), /its senders must send it again/)
})

test('a wildcard admits more than a name', () => {
  assert.match(
    admitsText({ add: '*.contoso.example', admits: 'NameFromPublicRoot' }),
    /a name that the wildcard matches/,
  )
})

test('each effect leads to its mail', () => {
  const certificate = unknownCertificate()
  const now = Date.parse('2026-02-03T00:00:00.000Z')
  const path = (effect: 'Refused' | 'Held' | 'RecordedOnly' | 'RelayDenied') =>
    decodeURIComponent(mailPath({ effect, firstSeen: '2026-02-01T00:00:00.000Z' }, certificate, now))
  const period = 'from=2026-02-01T00:00:00.000Z&to=2026-02-03T00:00:00.000Z'
  assert.equal(path('Refused'), `/messages?state=Rejected&connector=C1&${period}`)
  assert.equal(path('Held'), '/queues?connector=C1&reason=InboundCertificateRestriction')
  assert.equal(path('RecordedOnly'), `/messages?connector=C1&${period}`)
  assert.equal(path('RelayDenied'), `/messages?domain=contoso.example&${period}`)
})

test('certificates are grouped by connector, in the order of the list', () => {
  const at = (id: string, certificate: string) =>
    unknownCertificate({ id: certificate, connector: { ...connector, id } })
  const groups = groupByConnector([at('B', '1'), at('A', '2'), at('B', '3')])
  assert.deepEqual(
    groups.map((group) => [group.connector.id, group.certificates.map(({ id }) => id)]),
    [
      ['B', ['1', '3']],
      ['A', ['2']],
    ],
  )
})
