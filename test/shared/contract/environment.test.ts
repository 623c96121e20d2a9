import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ApiEnvironment, decisionSettings, readEnvironment } from '../../../shared/contract/environment.ts'
import { readRoleMapping } from '../../../shared/contract/roles.ts'

const queueVariables = [
  'EVALUATION',
  'DELIVERY',
  'UNPROVEN_DELIVERY',
  'LOW_PRIORITY_DELIVERY',
  'AUTHENTICATION',
  'BOUNCE',
].flatMap((queue) => [`${queue}_QUEUE_URL`, `${queue}_DEAD_LETTERS_URL`])
const minimalEnvironment = {
  ...Object.fromEntries(
    [...queueVariables, 'EVENTS_QUEUE_URL'].map((name) => [name, 'https://sqs.example/queue']),
  ),
  CONNECTORS_TABLE: 'connectors',
  MESSAGES_TABLE: 'messages',
  TRANSPORT_TABLE: 'transport',
  DEFAULT_ROUTE: 'Mx',
  DELIVERS_IN_VPC: 'true',
  MAIL_HOSTNAME: 'mx.ours.example',
}
const settings = (more: Record<string, string> = {}) =>
  decisionSettings(readEnvironment(ApiEnvironment, { ...minimalEnvironment, ...more }))

describe('the setting delayNotificationHours', () => {
  test('is 4 by default', () => assert.equal(settings().delayNotificationHours, 4))
  test('is the value of DELAY_NOTIFICATION_HOURS', () =>
    assert.equal(settings({ DELAY_NOTIFICATION_HOURS: '0.25' }).delayNotificationHours, 0.25))
  for (const value of ['0', '-1', 'soon', ''])
    test(`throws an error that names DELAY_NOTIFICATION_HOURS when the variable is "${value}"`, () => {
      assert.throws(() => settings({ DELAY_NOTIFICATION_HOURS: value }), /DELAY_NOTIFICATION_HOURS: /)
    })
})

describe('the roles of people who sign in', () => {
  const rolesIn = (more: Record<string, string> = {}) =>
    readRoleMapping(readEnvironment(ApiEnvironment, { ...minimalEnvironment, ...more }).SIGN_IN_ROLES)

  test('are none without SIGN_IN_ROLES', () => assert.equal(rolesIn(), null))
  test('are those of SIGN_IN_ROLES', () => {
    const roles = { claim: 'groups', mapping: { mail: ['administer'] } }
    assert.deepEqual(rolesIn({ SIGN_IN_ROLES: JSON.stringify(roles) }), roles)
  })
  for (const value of ['', 'groups', '{"claim":"groups"}', '{"claim":"groups","mapping":{"mail":["admin"]}}'])
    test(`cannot be read from SIGN_IN_ROLES ${value}, so that the function does not start`, () => {
      assert.throws(() => rolesIn({ SIGN_IN_ROLES: value }), /SIGN_IN_ROLES/)
    })
})
