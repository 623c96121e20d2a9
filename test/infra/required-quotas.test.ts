import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readConfig } from '../../infra/config.ts'
import { requiredQuotas } from '../../infra/required-quotas.ts'
import { existingVpc } from '../support/synthesis.ts'

const base = {
  hostname: 'mail.ours.example',
  tlsSecretArn: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:tls-AbCdEf',
}
const required = (settings: object, code: string): number | undefined =>
  requiredQuotas(readConfig({ ...base, ...settings })).find((quota) => quota.code === code)?.required

const executions = 'L-B99A9384'
const vcpus = 'L-3032A538'
const addresses = 'L-0263D0A3'
const natGateways = 'L-FE5A380F'
const vpcs = 'L-F678F1CE'
const inExistingVpc = { network: { existingVpc }, deliverInVpc: true }

describe('the quotas that a deployment needs', () => {
  const rows: { name: string; settings: object; code: string; required: number | undefined }[] = [
    { name: 'a quarter of a vCPU for each of 20 tasks', settings: {}, code: vcpus, required: 5 },
    {
      name: 'a vCPU for each of 100 tasks',
      settings: { ingress: { cpu: 1024, maximumTasks: 100 } },
      code: vcpus,
      required: 100,
    },
    {
      name: 'fourteen executions at the smallest concurrency of the queues',
      settings: {
        functions: {
          evaluate: { concurrency: 2 },
          authenticate: { concurrency: 2 },
          deliver: { concurrency: 2 },
          bounce: { concurrency: 2 },
          record: { concurrency: 2 },
        },
      },
      code: executions,
      required: 14,
    },
    {
      name: 'a quarter of a vCPU for one small task',
      settings: { ingress: { cpu: 256, minimumTasks: 1, maximumTasks: 1 } },
      code: vcpus,
      required: 0.25,
    },
    { name: 'two addresses', settings: {}, code: addresses, required: 2 },
    {
      name: 'four addresses with deliveries in the VPC',
      settings: { deliverInVpc: true },
      code: addresses,
      required: 4,
    },
    { name: 'four addresses with route Mx', settings: { defaultRoute: 'Mx' }, code: addresses, required: 4 },
    { name: 'no NAT gateway', settings: {}, code: natGateways, required: undefined },
    { name: 'a NAT gateway per zone', settings: { deliverInVpc: true }, code: natGateways, required: 1 },
    { name: 'a VPC', settings: {}, code: vpcs, required: 1 },
    { name: 'an address per zone of an existing VPC', settings: inExistingVpc, code: addresses, required: 2 },
    { name: 'no VPC beside an existing one', settings: inExistingVpc, code: vpcs, required: undefined },
    {
      name: 'no NAT gateway in an existing VPC',
      settings: inExistingVpc,
      code: natGateways,
      required: undefined,
    },
  ]
  for (const { name, settings, code, required: expected } of rows)
    test(`are ${name}`, () => assert.equal(required(settings, code), expected))

  test('are the concurrency of the queues, or of all functions and what must stay unreserved, if it is reserved', () => {
    const shared = { reserveConcurrency: false }
    const all = required(shared, executions) ?? 0
    assert.equal(all, 170)
    assert.equal(required({ reserveConcurrency: true }, executions), 358)
    assert.equal(required({ ...shared, functions: { evaluate: { concurrency: 60 } } }, executions), all + 10)
    assert.equal(required({ ...shared, functions: { deliver: { concurrency: 60 } } }, executions), all + 16)
  })
})
