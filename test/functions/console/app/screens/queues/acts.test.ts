import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  countRecipients,
  filterOf,
  groupsForAct,
  type Queue,
  recipientsText,
  resultText,
} from '../../../../../../functions/console/app/screens/queues/acts.ts'
import { reasonSentence } from '../../../../../../functions/console/app/screens/queues/reason-text.ts'
import { waitingReasons } from '../../../../../../shared/policy/reasons.ts'

const group = (fields: Partial<Queue>): Queue => ({
  partner: 'clinic.example',
  direction: 'Originating',
  reason: 'OutboundTlsNotMet',
  connector: 'A',
  recipients: 1,
  messages: 1,
  octets: 100,
  oldest: '2026-02-03T00:00:00.000Z',
  expires: '2026-02-04T00:00:00.000Z',
  nextAttempt: '2026-02-03T01:00:00.000Z',
  samples: [],
  ...fields,
})

describe('acts on mail that waits', () => {
  const ofConnector = group({})
  const ofNoConnector = group({ connector: null, recipients: 2 })
  const held = group({ partner: null, direction: 'Incoming', reason: 'InboundTlsRequired', recipients: 4 })
  const all = [ofConnector, ofNoConnector, held]

  test('select a group by its fields, also those that are absent', () => {
    assert.deepEqual(filterOf(held), {
      ...{ partner: 'none', direction: 'Incoming', reason: 'InboundTlsRequired', connector: 'A' },
    })
    assert.equal(filterOf(ofNoConnector).connector, 'none')
  })
  test('count the recipients of the groups as they are now', () => {
    assert.equal(countRecipients([ofConnector], all), 1)
    assert.equal(countRecipients([group({ recipients: 7 }), held], all), 5)
    assert.equal(countRecipients([ofNoConnector], [held]), 0)
  })
  test('release only what an inbound connector holds', () => {
    assert.deepEqual(groupsForAct('release', all), [held])
    assert.deepEqual(groupsForAct('drop', all), all)
  })
  test('say when more mail may wait than was counted', () => {
    assert.equal(recipientsText(1, { omitted: 0, complete: true }), '1 recipient')
    assert.equal(recipientsText(2, { omitted: 0, complete: false }), 'at least 2 recipients')
    assert.equal(recipientsText(2, { omitted: 1, complete: true }), 'at least 2 recipients')
  })
  test('say what was requested, or that no mail was found', () => {
    assert.match(
      resultText('return', { recipients: 2, messages: 1 }),
      /return .* 2 recipients in 1 message\./,
    )
    assert.match(resultText('drop', { recipients: 0, messages: 0 }), /No mail was found to drop/)
  })
})

test('each reason of a deferral has a sentence', () => {
  for (const reason of waitingReasons) assert.match(reasonSentence(reason), /^[A-Z].*\.$/, reason)
  assert.equal(reasonSentence('NewReason'), '')
})
