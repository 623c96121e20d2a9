import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConnectorIds, eventsOfHour } from '../../../../infra/local/demo/history.ts'
import { MailEvent } from '../../../../shared/contract/events.ts'
import { addHours, hourOf, hoursBetween } from '../../../../shared/events/hours.ts'

const names = ['From the bank', 'To the bank', 'To the clinic', 'To the vault', 'Our server', 'Our mailboxes']
const ids: ConnectorIds = new Map(names.map((name, index) => [name, `CONNECTOR${index}`]))

const weekFrom = (first: string) =>
  hoursBetween(first, addHours(first, 7 * 24 - 1)).flatMap((hour) => eventsOfHour(hour, ids))

test('a week has at least 10,000 events, each valid, of its hour, and with an id of its own', () => {
  const first = '2026-02-27T22'
  const events = weekFrom(first)
  assert.ok(events.length >= 10_000, String(events.length))
  assert.equal(new Set(events.map(({ id }) => id)).size, events.length)
  for (const event of events) assert.deepEqual(MailEvent.parse(event), event)
  for (const event of eventsOfHour(first, ids)) assert.equal(hourOf(Date.parse(event.at)), first)
})

test('each connector of the demo has mail, and each kind of refusal occurs', () => {
  const events = weekFrom('2026-02-27T22')
  const found = new Set(events.flatMap((event) => [event.inboundConnector, event.outboundConnector]))
  for (const id of ids.values()) assert.ok(found.has(id), id)
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
