import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LocalAuthority } from '../../../../infra/local/certificates.ts'
import { type DemoFacts, eventsOfHour } from '../../../../infra/local/demo/history.ts'
import { inboundConnectors, ourDomain, outboundConnectors } from '../../../../infra/local/demo/scenario.ts'
import type { InboundConnector, OutboundConnector } from '../../../../shared/connectors/schema.ts'
import { InboundConnectorInput } from '../../../../shared/connectors/schema.ts'
import { MailEvent } from '../../../../shared/contract/events.ts'
import { compareDryRuns, dryRun } from '../../../../shared/event-queries/dry-run/dry-run.ts'
import {
  comparableRecipient,
  comparableSender,
  type MailFacts,
  pastMailOf,
} from '../../../../shared/event-queries/dry-run/mail-facts.ts'
import { addHours, hourOf, hoursBetween } from '../../../../shared/events/hours.ts'
import type { Settings } from '../../../../shared/policy/evaluate.ts'
import { outboundSchema } from '../../../support/connectors.ts'
import { inbound, outbound, snapshot } from '../../../support/fixtures.ts'

const authorities = [(await LocalAuthority.open(null)).certificate]
const fromClients = inboundConnectors(authorities).map((each) => inbound(InboundConnectorInput.parse(each)))
const toNextHops = outboundConnectors(authorities).map((each) => outbound(outboundSchema.parse(each)))
const connectors = [...fromClients, ...toNextHops]
const demo: DemoFacts = {
  connectors: new Map(connectors.map((connector) => [connector.name, connector])),
  mailboxFingerprint: 'ab'.repeat(32),
}

const weekFrom = (first: string) =>
  hoursBetween(first, addHours(first, 7 * 24 - 1)).flatMap((hour) => eventsOfHour(hour, demo))

test('a week has at least 10,000 events, each valid, of its hour, and with an id of its own', () => {
  const first = '2026-02-27T22'
  const events = weekFrom(first)
  assert.ok(events.length >= 10_000, String(events.length))
  assert.equal(new Set(events.map(({ id }) => id)).size, events.length)
  for (const event of events) assert.deepEqual(MailEvent.parse(event), event)
  for (const event of eventsOfHour(first, demo)) assert.equal(hourOf(Date.parse(event.at)), first)
})

test('each connector of the demo has mail, and each kind of refusal occurs', () => {
  const events = weekFrom('2026-02-27T22')
  const found = new Set(events.flatMap((event) => [event.inboundConnector, event.outboundConnector]))
  for (const { id } of connectors) assert.ok(found.has(id), id)
  const reasons = new Set(events.filter(({ kind }) => kind === 'Rejected').map(({ reason }) => reason))
  assert.deepEqual([...reasons].sort(), ['InboundTlsRequired', 'RelayDenied'])
})

test('the numbers of a week do not depend on when it begins', () => {
  const numbers = (first: string) => {
    const events = weekFrom(first)
    return Object.entries(Object.groupBy(events, ({ kind }) => kind)).map(([kind, list]) => [
      kind,
      list?.length,
    ])
  }
  assert.deepEqual(numbers('2026-02-27T22').sort(), numbers('2026-11-24T09').sort())
})

describe('a dry run over a week', () => {
  const settings: Settings = { defaultRoute: 'Mx' }
  const events = weekFrom('2026-02-27T22')
  const snapshotOf = (received: InboundConnector[], sent: OutboundConnector[]) =>
    snapshot({ inbound: received, outbound: sent, acceptedDomains: [ourDomain] })
  const unchanged = snapshotOf(fromClients, toNextHops)
  const mail = groupsOf(events)
  const decided = new Map(
    events.flatMap(({ kind, messageId, reason }) => (kind === 'Decided' ? [[messageId, reason]] : [])),
  )

  test('with the connectors of the demo has the result that the events have', () => {
    const recordedOf = ({ id, facts: { attempt, rejection } }: Group) =>
      rejection === null
        ? {
            outcome: attempt?.kind,
            reason: decided.get(id),
            connector: attempt?.outboundConnector ?? null,
            level: attempt?.requiredLevel,
          }
        : {
            outcome: 'Refused',
            reason: rejection.reason,
            connector: rejection.inboundConnector ?? null,
            level: rejection.inboundConnector === undefined ? null : 'EncryptionOnly',
          }
    for (const group of mail) {
      const { sender, recipient } = group.facts
      assert.deepEqual(
        dryRun(group.facts, unchanged, settings),
        recordedOf(group),
        `${sender} to ${recipient}`,
      )
    }
  })

  const otherName = { tlsDomain: 'other.example' }
  const otherAddress = { senderIpAddresses: ['203.0.113.1'], restrictDomainsToIpAddresses: true }
  const stricter = [
    { name: 'Our server', outcome: 'Refused', fields: { tlsSenderCertificateNames: ['other.example'] } },
    { name: 'From the bank', outcome: 'Refused', fields: otherAddress },
    { name: 'Our mailboxes', outcome: 'Deferred', fields: otherName },
    { name: 'To the bank', outcome: 'Deferred', fields: otherName },
    { name: 'To the clinic', outcome: 'Deferred', fields: { tlsSettings: 'CertificateValidation' as const } },
    { name: 'To the vault', outcome: 'Bounced', fields: otherName },
  ]
  for (const { name, outcome, fields } of stricter)
    test(`of a stricter connector "${name}" has another result for each message to which it applied`, () => {
      const id = demo.connectors.get(name)?.id ?? assert.fail(name)
      const changed = <T extends { name: string }>(list: readonly T[]) =>
        list.map((each) => (each.name === name ? { ...each, ...fields } : each))
      const after = snapshotOf(changed(fromClients), changed(toNextHops))
      const applied = new Set(
        events.flatMap(({ kind, messageId, inboundConnector, outboundConnector }) =>
          kind !== 'Rejected' && (inboundConnector === id || outboundConnector === id) ? messageId : [],
        ),
      )
      for (const group of mail) {
        const comparison = compareDryRuns(group.facts, unchanged, after, settings)
        const results =
          comparison.kind === 'Different'
            ? [comparison.before.outcome, comparison.after.outcome]
            : comparison.kind
        assert.deepEqual(results, applied.has(group.id) ? ['Delivered', outcome] : 'Same', group.facts.sender)
      }
    })

  test('has every connector of the demo', () =>
    assert.deepEqual(stricter.map(({ name }) => name).sort(), connectors.map(({ name }) => name).sort()))
})

interface Group {
  /** Of the first message; of a refusal, of its event. */
  id: string
  facts: MailFacts
}

/** The mail of the events, with one message for each combination of facts. */
function groupsOf(events: readonly MailEvent[]): Group[] {
  const groups = new Map<string, Group>()
  for (const { id, facts } of pastMailOf(events)) {
    const { at, sender = '', recipient = '', ...others } = facts
    const addresses = [comparableSender(sender), comparableRecipient(recipient, { defaultRoute: 'Mx' })]
    const key = JSON.stringify([addresses, others])
    if (!groups.has(key)) groups.set(key, { id, facts })
  }
  return [...groups.values()]
}
