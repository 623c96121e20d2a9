/** What a message page shows: a trace, a refusal, or only events. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type {
  MessageEvents,
  RejectedEvent,
  TraceEntry,
} from '../../../../../../functions/console/app/api/types.ts'
import { foundMessage } from '../../../../../../functions/console/app/screens/message/found-message.ts'

const entry = { id: 'M', recipients: [] } as unknown as TraceEntry
const refusal = { id: 'R', kind: 'Rejected' } as RejectedEvent
const trailOf = (...kinds: string[]) =>
  ({ events: kinds.map((kind) => ({ id: kind, kind })), unreadSince: null }) as unknown as MessageEvents

const cases: [name: string, ...Parameters<typeof foundMessage>, kind: string | undefined][] = [
  ['a message with a trace', entry, undefined, 'Message'],
  ['a refusal of the last days', refusal, undefined, 'Refusal'],
  ['an older refusal', null, trailOf('Rejected'), 'Refusal'],
  ['a message whose trace has expired', null, trailOf('Accepted', 'Delivered'), 'EventsOnly'],
  [
    'a message whose events are too many to read',
    null,
    { events: [], unreadSince: '2026-11-30T20:00:00.000Z' },
    'EventsOnly',
  ],
  ['an unknown id', null, null, 'Nothing'],
  ['events that are read', null, undefined, undefined],
]
for (const [name, answer, trail, kind] of cases)
  test(`the page of ${name} shows ${kind ?? 'nothing yet'}`, () =>
    assert.equal(foundMessage(answer, trail)?.kind, kind))
