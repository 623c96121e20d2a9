import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ApiEnvironment, decisionSettings, readEnvironment } from '../../../shared/contract/environment.ts'

const least = {
  CONNECTORS_TABLE: 'connectors',
  MESSAGES_TABLE: 'messages',
  EVALUATION_QUEUE_URL: 'https://sqs.example/evaluation',
  TRANSPORT_TABLE: 'transport',
  DEFAULT_ROUTE: 'Mx',
}
const settings = (more: Record<string, string> = {}) =>
  decisionSettings(readEnvironment(ApiEnvironment, { ...least, ...more }))

describe('after how long the sender of waiting mail hears of it', () => {
  test('is four hours', () => assert.equal(settings().delayNotificationHours, 4))
  test('is what the deployment says', () =>
    assert.equal(settings({ DELAY_NOTIFICATION_HOURS: '0.25' }).delayNotificationHours, 0.25))
  for (const wrong of ['0', '-1', 'soon', ''])
    test(`is never ${wrong || 'nothing'}: the unit does not start, and says which setting is at fault`, () => {
      assert.throws(() => settings({ DELAY_NOTIFICATION_HOURS: wrong }), /DELAY_NOTIFICATION_HOURS: /)
    })
})
