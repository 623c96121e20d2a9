import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Configuration,
  remainingConfiguration,
} from '../../../functions/erase-address/remaining-configuration.ts'
import type { AcceptedDomain } from '../../../shared/connectors/schema.ts'
import { ErasedAddress } from '../../../shared/mail/erased-address.ts'
import { inbound, outbound, receivedAt } from '../../support/fixtures.ts'

const address = new ErasedAddress({ localPart: 'ann', domain: 'ours.example' }, 'erased-1a2b3c4d')
const domain = (fields: Partial<AcceptedDomain> = {}): AcceptedDomain => ({
  domain: 'ours.example',
  recipients: 'Any',
  comment: '',
  createdAt: receivedAt.toISOString(),
  updatedAt: receivedAt.toISOString(),
  version: 1,
  ...fields,
})
const change = (actor: string) => ({
  version: 1,
  at: receivedAt.toISOString(),
  actor,
  kind: 'accepted-domain' as const,
  key: 'ours.example',
  name: 'ours.example',
  before: null,
  after: {},
})
const configuration = (fields: Partial<Configuration> = {}): Configuration => ({
  readAll: async () => ({ inbound: [inbound()], outbound: [outbound()], acceptedDomains: [domain()] }),
  async *recipients() {},
  changes: async () => [change('arn:aws:iam::1:user/bob')],
  settings: { postmaster: 'postmaster@ours.example' },
  ...fields,
})
const list = (version: string) => ({ version, addresses: 2, updatedAt: receivedAt.toISOString() })

test('a configuration without the address has nothing that remains', async () => {
  assert.deepEqual(await remainingConfiguration(address, configuration()), [])
})

test('connectors and domains whose comment names the address remain', async () => {
  const comment = 'Questions: <ann@ours.example>'
  const [one, two] = [inbound({ comment }), outbound({ comment })]
  const found = await remainingConfiguration(
    address,
    configuration({
      readAll: async () => ({
        inbound: [one, inbound()],
        outbound: [two],
        acceptedDomains: [domain({ comment })],
      }),
    }),
  )
  assert.deepEqual(found, [
    `/inbound-connectors/${one.id}`,
    `/outbound-connectors/${two.id}`,
    '/accepted-domains/ours.example',
  ])
})

test('a list of recipients, the change log and settings that have the address remain', async () => {
  const lists: Record<string, string[][]> = { v1: [['bob', 'joann'], ['ann']], v2: [['ann']] }
  const found = await remainingConfiguration(
    address,
    configuration({
      readAll: async () => ({
        inbound: [],
        outbound: [],
        acceptedDomains: [
          domain({ recipientList: list('v1') }),
          domain({ domain: 'other.example', recipientList: list('v2') }),
        ],
      }),
      async *recipients(_, version) {
        yield* lists[version] ?? []
      },
      changes: async () => [change('arn:aws:sts::1:assumed-role/admin/ann@ours.example')],
      settings: { postmaster: 'Ann@ours.example', alarmEmail: 'joann@ours.example' },
    }),
  )
  assert.deepEqual(found, ['/accepted-domains/ours.example/recipients', '/changes', 'setting postmaster'])
})

test('a change that has an address with quotes remains', async () => {
  const quoted = new ErasedAddress({ localPart: '"a b"', domain: 'ours.example' }, 'erased-1a2b3c4d')
  const changes = async () => [{ ...change('bob'), after: { comment: 'ask "a b"@ours.example' } }]
  assert.deepEqual(await remainingConfiguration(quoted, configuration({ changes })), ['/changes'])
})
