import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  DeliveryPriorities,
  deliveryPriority,
  isConfigured,
} from '../../../functions/evaluate-policy/delivery-priority.ts'
import type { DeliveryJob } from '../../../shared/contract/jobs.ts'
import type { Attempt } from '../../../shared/contract/message.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import type { DestinationStanding } from '../../../shared/transport/destination-standings.ts'
import { attempt, message, outbound, recipient, snapshot } from '../../support/fixtures.ts'

const job = (fields: Partial<DeliveryJob> = {}): DeliveryJob => ({
  message: message({ mailFrom: 'a@ours.example' }),
  recipients: [recipient({ address: 'b@new.example' })],
  destination: 'new.example',
  route: { kind: 'Mx', domain: 'new.example' },
  tls: opportunistic,
  attempt: 1,
  connectorsVersion: 1,
  ...fields,
})
const dsn = { message: message({ mailFrom: '' }) }
const after = (lastAttempt: Attempt) => ({
  recipients: [recipient({ address: 'b@new.example', lastAttempt })],
})
const slow = attempt({ outcome: 'TemporaryFailure', durationMs: 30_000 })
const greylisted = attempt({ outcome: 'TemporaryFailure', durationMs: 200 })

describe('the priority of mail by MX lookup that no connector names', () => {
  const rows: [title: string, Partial<DeliveryJob>, DestinationStanding, string][] = [
    ['a message to a proven domain', {}, 'Proven', 'Normal'],
    ['a DSN to a proven domain', dsn, 'Proven', 'Normal'],
    ['a first message to an unproven domain', {}, 'Unproven', 'Unproven'],
    ['a message that an unproven domain soon deferred', after(greylisted), 'Unproven', 'Unproven'],
    ['a message to an unproven domain after a slow failure', after(slow), 'Unproven', 'Low'],
    ['a DSN to an unproven domain', dsn, 'Unproven', 'Low'],
    ['a message to a domain that has become slow', {}, 'Slow', 'Unproven'],
    ['a DSN to a domain that has become slow', dsn, 'Slow', 'Low'],
    ['a message to such a domain after a slow failure', after(slow), 'Slow', 'Low'],
  ]
  for (const [title, fields, standing, priority] of rows)
    it(`is ${priority} for ${title}`, () => assert.equal(deliveryPriority(job(fields), standing), priority))
})

describe('the servers of a delivery are configured', () => {
  const naming = snapshot({ outbound: [outbound({ recipientDomains: ['new.example'] })] })
  const catchAll = snapshot({ outbound: [outbound({ recipientDomains: ['*'] })] })
  const smartHosts = { kind: 'SmartHosts' as const, hosts: [{ host: 'relay.example', port: 25 }] }
  const rows: [title: string, DeliveryJob, Parameters<typeof isConfigured>[1], boolean][] = [
    ['through smart hosts', job({ route: smartHosts }), snapshot({}), true],
    ['through SES', job({ route: { kind: 'Ses' } }), snapshot({}), true],
    ['by a connector that names the domain', job(), naming, true],
    ['by a connector for * only', job(), catchAll, false],
    ['without a connector', job(), snapshot({}), false],
    [
      'by a deleted connector whose requirement is kept',
      job({ connector: { id: 'old', name: 'Old' } }),
      snapshot({}),
      true,
    ],
  ]
  for (const [title, delivery, connectors, expected] of rows)
    it(`${title}: ${expected}`, () => assert.equal(isConfigured(delivery, connectors), expected))
})

describe('priorities', () => {
  const now = new Date('2026-11-25T00:00:00Z')
  const secondsLater = (seconds: number) => new Date(now.getTime() + seconds * 1000)

  it('read the standing of a domain once in thirty seconds', async () => {
    const reads: string[] = []
    const priorities = new DeliveryPriorities(
      {
        read: async (domain) => {
          reads.push(domain)
          return 'Unproven'
        },
      },
      assert.fail,
    )
    const assigned = await priorities.assign([job(), job(dsn)], snapshot({}), now)
    assert.deepEqual(
      assigned.map(({ priority }) => priority),
      ['Unproven', 'Low'],
    )
    await priorities.assign([job()], snapshot({}), secondsLater(29))
    assert.deepEqual(reads, ['new.example'])
    await priorities.assign([job()], snapshot({}), secondsLater(30))
    assert.deepEqual(reads, ['new.example', 'new.example'])
  })

  it('deliver mail as to a slow domain while the table fails, and read again for the next message', async () => {
    let fails = true
    const errors: Error[] = []
    const priorities = new DeliveryPriorities(
      {
        read: async () => {
          if (fails) throw new Error('the table is away')
          return 'Proven'
        },
      },
      (error) => errors.push(error),
    )
    const [first] = await priorities.assign([job()], snapshot({}), now)
    assert.equal(first?.priority, 'Unproven')
    assert.equal(errors.length, 1)
    fails = false
    const [second] = await priorities.assign([job()], snapshot({}), now)
    assert.equal(second?.priority, 'Normal')
  })

  it('read nothing for configured servers', async () => {
    const priorities = new DeliveryPriorities({ read: assert.fail }, assert.fail)
    await priorities.assign([job({ route: { kind: 'Ses' } })], snapshot({}), now)
  })
})
