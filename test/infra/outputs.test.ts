import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble, type Json } from '../support/synthesis.ts'

const outputs = (mailflow: Record<string, unknown>): string[] => {
  const template: Json = assemble(mailflow).getStackByName('Mailflow').template
  return Object.keys(template.Outputs).sort()
}

test('outputs have the names that the README and a script use', () => {
  assert.deepEqual(outputs({}), [
    'ApiUrl',
    'CertificateNoticesTopic',
    'LoadBalancerName',
    'MxAddresses',
    'NoticesTopic',
    'PagesUrl',
  ])
  assert.deepEqual(outputs({ defaultRoute: 'Mx' }), [
    'ApiUrl',
    'CertificateNoticesTopic',
    'EgressAddresses',
    'LoadBalancerName',
    'MxAddresses',
    'NoticesTopic',
    'PagesUrl',
  ])
})
