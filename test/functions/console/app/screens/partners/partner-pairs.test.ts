/** The pairs of connectors. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  findPair,
  pairConnectors,
} from '../../../../../../functions/console/app/screens/partners/partner-pairs.ts'
import { inboundOf, outboundOf } from './connectors.ts'

const namesOf = (pairs: ReturnType<typeof pairConnectors>) =>
  pairs.map(({ inbound, outbound }) => [inbound?.name ?? null, outbound?.name ?? null])

describe('pairs of connectors', () => {
  test('have the connectors that name the same domain', () => {
    const pairs = pairConnectors(
      [inboundOf(), inboundOf({ name: 'From the clinic', senderDomains: ['clinic.example'] })],
      [outboundOf({ name: 'To the clinic', recipientDomains: ['clinic.example'] }), outboundOf()],
    )
    assert.deepEqual(namesOf(pairs), [
      ['From the bank', 'To the bank'],
      ['From the clinic', 'To the clinic'],
    ])
    assert.deepEqual(
      pairs.map(({ name }) => name),
      ['bank.example', 'clinic.example'],
    )
  })

  test('are found by a pattern that includes the other', () => {
    const pairs = pairConnectors(
      [inboundOf({ senderDomains: ['*.bank.example'] })],
      [outboundOf({ recipientDomains: ['mail.bank.example'] })],
    )
    assert.deepEqual(namesOf(pairs), [['From the bank', 'To the bank']])
  })

  test('prefer the connector with more of the domains, then one that is enforced', () => {
    const outbound = [
      outboundOf({ name: 'Disabled', enabled: false }),
      outboundOf({ name: 'Enforced' }),
      outboundOf({ name: 'Both', recipientDomains: ['bank.example', 'bank.test'] }),
    ]
    assert.deepEqual(namesOf(pairConnectors([inboundOf()], outbound))[0], ['From the bank', 'Both'])
    assert.deepEqual(namesOf(pairConnectors([inboundOf()], outbound.slice(0, 2)))[0], [
      'From the bank',
      'Enforced',
    ])
    const both = inboundOf({ senderDomains: ['bank.example', 'bank.test'] })
    assert.deepEqual(namesOf(pairConnectors([both], outbound))[0], ['From the bank', 'Both'])
  })

  test('share an outbound connector for several partners, and have names of their own', () => {
    const pairs = pairConnectors(
      [inboundOf(), inboundOf({ name: 'From the clinic', senderDomains: ['clinic.example'] })],
      [outboundOf({ name: 'To all', recipientDomains: ['bank.example', 'clinic.example'] })],
    )
    assert.deepEqual(
      pairs.map(({ name, outbound }) => [name, outbound?.name]),
      [
        ['bank.example', 'To all'],
        ['clinic.example', 'To all'],
      ],
    )
  })

  test('of one domain are named by the ids of their connectors', () => {
    const pairs = pairConnectors([inboundOf(), inboundOf({ name: 'Stricter' })], [outboundOf()])
    assert.deepEqual(
      pairs.map(({ name }) => name),
      ['IN-From the bank', 'IN-Stricter'],
    )
    assert.equal(findPair(pairs, 'BANK.example'), pairs[0])
    assert.equal(findPair(pairs, 'IN-Stricter'), pairs[1])
    assert.equal(findPair(pairs, 'OUT-To the bank'), pairs[0])
    assert.equal(findPair(pairs, 'museum.example'), null)
  })

  test('do not contain connectors of your servers, nor those for every domain', () => {
    const pairs = pairConnectors(
      [
        inboundOf({ name: 'Our server', connectorType: 'OnPremises', senderDomains: ['ours.example'] }),
        inboundOf({ name: 'Any', senderDomains: ['*'] }),
      ],
      [
        outboundOf({
          name: 'Our mailboxes',
          connectorType: 'OnPremises',
          allAcceptedDomains: true,
          recipientDomains: [],
        }),
      ],
    )
    assert.deepEqual(
      pairs.map(({ kind, inbound, outbound }) => [kind, inbound?.name ?? outbound?.name]),
      [
        ['YourServers', 'Our server'],
        ['EveryDomain', 'Any'],
        ['YourServers', 'Our mailboxes'],
      ],
    )
  })
})
