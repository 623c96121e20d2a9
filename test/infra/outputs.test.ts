import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble, existingVpc, type Json, onlyResource, text } from '../support/synthesis.ts'

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
    'EventsBucket',
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
    'EventsBucket',
    'LoadBalancerName',
    'MxAddresses',
    'NoticesTopic',
    'PagesUrl',
  ])
})

test('the stack has the output SignInUrl with the setting jwt', () => {
  const roles = { claim: 'groups', mapping: { mail: 'administer' } }
  const jwt = { issuer: 'https://login.example.net/', audience: ['mailflow'], roles }
  assert.deepEqual(
    outputs({ jwt }).filter((name) => !outputs({}).includes(name)),
    ['SignInUrl'],
  )
})

test('with ipv6, MxIpv6Addresses lists an address of each public subnet; in an existing VPC AWS chooses them', () => {
  const ingress = { ipv6: true }
  const template: Json = assemble({ ingress }).getStackByName('Mailflow').template
  const balancer = onlyResource('AWS::ElasticLoadBalancingV2::LoadBalancer', { ingress })
  const addresses = balancer.Properties.SubnetMappings.map(({ IPv6Address }: Json) => text(IPv6Address))
  assert.equal(addresses.length, 2)
  assert.equal(text(template.Outputs.MxIpv6Addresses.Value), addresses.join(' '))
  assert.ok(!outputs({ ingress, network: { existingVpc } }).includes('MxIpv6Addresses'))
})

test("in an existing VPC the stack has no EgressAddresses, because the addresses are its owner's", () => {
  const list = outputs({ defaultRoute: 'Mx', network: { existingVpc } })
  assert.ok(list.includes('MxAddresses'))
  assert.ok(!list.includes('EgressAddresses'))
})

test('the output DeletionProtection says how to turn it on, until it is on', () => {
  const template: Json = assemble().getStackByName('Mailflow').template
  assert.match(template.Outputs.DeletionProtection.Value, /^off: .* set mailflow\.deletionProtection to true/)
  assert.ok(!outputs({ deletionProtection: true }).includes('DeletionProtection'))
})
