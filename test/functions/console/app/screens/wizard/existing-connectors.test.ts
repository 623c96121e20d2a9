/** A draft beside the connectors that exist, and lists that are probably mistyped. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newDraft } from '../../../../../../functions/console/app/screens/wizard/draft.ts'
import {
  domainsInCommon,
  takenNameFault,
} from '../../../../../../functions/console/app/screens/wizard/existing-connectors.ts'
import { listWarnings } from '../../../../../../functions/console/app/screens/wizard/list-warnings.ts'
import { inboundOf } from '../partners/connectors.ts'

const start = newDraft({ direction: 'inbound', domains: ['Bank.example', 'b.example'], defaultRoute: 'Mx' })
const named = (name: string) => ({ ...start, values: { ...start.values, name } })

test('a name is taken in any letter case', () => {
  assert.match(takenNameFault(named(' from the BANK '), [inboundOf()]) ?? '', /“From the bank” exists/)
  assert.equal(takenNameFault(named('From the bank 2'), [inboundOf()]), null)
})

test('a domain belongs to the connectors of the same type that name it', () => {
  const others = [
    inboundOf(),
    inboundOf({ name: 'Other', senderDomains: ['*', '*.bank.example'] }),
    inboundOf({ name: 'Own servers', connectorType: 'OnPremises' }),
  ]
  assert.deepEqual(
    domainsInCommon(start, others).map(({ connector, domains }) => [connector.name, domains]),
    [['From the bank', ['bank.example']]],
  )
})

test('a list is probably mistyped if a name has no dot, or if one line has several names', () => {
  assert.deepEqual(listWarnings('Patterns', 'insurer,example', 'domain'), [
    'Without a dot: insurer, example. Is a part missing?',
    '2 domains: insurer, example. The text was split at commas, semicolons or spaces.',
  ])
  assert.deepEqual(listWarnings('Patterns', 'a.example\n*.b.example\r\n*\n', 'domain'), [])
  assert.equal(listWarnings('Domains', '*.insurer', 'domain').length, 1)
  assert.deepEqual(listWarnings('Ranges', '192.0.2.1 ::1', 'address'), [])
})
