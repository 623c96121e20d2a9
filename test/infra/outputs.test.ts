import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble, type Json } from '../support/synthesis.ts'

const outputs = (mailflow: Record<string, unknown>): string[] => {
  const template: Json = assemble(mailflow).getStackByName('Mailflow').template
  return Object.keys(template.Outputs).sort()
}

test('the stack has exactly the outputs of these lists, EgressAddresses only with the default route Mx', () => {
  assert.deepEqual(outputs({}), [
    'AlarmsTopic',
    'ApiUrl',
    'CertificateNoticesTopic',
    'DashboardUrl',
    'DeletionProtection',
    'LoadBalancerName',
    'MxAddresses',
    'NoticesTopic',
    'PagesUrl',
  ])
  assert.deepEqual(outputs({ defaultRoute: 'Mx' }), [
    'AlarmsTopic',
    'ApiUrl',
    'CertificateNoticesTopic',
    'DashboardUrl',
    'DeletionProtection',
    'EgressAddresses',
    'LoadBalancerName',
    'MxAddresses',
    'NoticesTopic',
    'PagesUrl',
  ])
})

test('the output DeletionProtection says how to turn it on, until it is on', () => {
  const template: Json = assemble().getStackByName('Mailflow').template
  assert.match(template.Outputs.DeletionProtection.Value, /^off: .* set mailflow\.deletionProtection to true/)
  assert.ok(!outputs({ deletionProtection: true }).includes('DeletionProtection'))
})
