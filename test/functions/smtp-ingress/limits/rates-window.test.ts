import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  afterReport,
  emptyWindow,
  hasRoom,
  isMuch,
  isOverdue,
  minuteOf,
  type Window,
} from '../../../../functions/smtp-ingress/limits/rates-window.ts'

const window = ({
  taken = 0,
  counters = 0,
  ...fields
}: Partial<Omit<Window, 'others'>> & { taken?: number; counters?: number }): Window => ({
  ...emptyWindow(),
  ...fields,
  others: { taken, counters },
})

describe('room for a message', () => {
  const rows: { name: string; known: Window; limit: number; room: boolean }[] = [
    { name: 'is there at first', known: emptyWindow(), limit: 1, room: true },
    { name: 'is there below the limit', known: window({ own: 9 }), limit: 10, room: true },
    { name: 'ends at the limit', known: window({ own: 10 }), limit: 10, room: false },
    { name: 'is what others left', known: window({ own: 4, taken: 5 }), limit: 10, room: true },
    { name: 'ends where others took the rest', known: window({ own: 4, taken: 6 }), limit: 10, room: false },
    { name: 'is not there for who took none', known: window({ taken: 10 }), limit: 10, room: false },
    { name: 'ends at once where the limit was lowered', known: window({ own: 8 }), limit: 5, room: false },
  ]
  for (const { name, known, limit, room } of rows) it(name, () => assert.equal(hasRoom(known, limit), room))
})

describe('an answer', () => {
  const asked = window({ own: 12, counters: 5, isFailing: true })
  it('says what the others took, and that they can know of what was reported', () =>
    assert.deepEqual(
      afterReport(asked, 10, { taken: 30, counters: 9 }),
      window({ own: 12, reported: 10, taken: 30, counters: 9 }),
    ))
  it('does not make those fewer who are expected', () =>
    assert.equal(afterReport(asked, 10, { taken: 0, counters: 0 }).others.counters, 5))
})

describe('others hear before long', () => {
  const rows: { name: string; known: Window; at: number; due: boolean }[] = [
    { name: 'of the first message', known: window({ own: 1 }), at: 5, due: true },
    { name: 'of nothing, where nothing was taken', known: emptyWindow(), at: 5, due: false },
    { name: 'of nothing twice', known: window({ own: 3, reported: 3, reportedAt: 0 }), at: 9000, due: false },
    {
      name: 'not within a second',
      known: window({ own: 4, reported: 3, reportedAt: 1 }),
      at: 1000,
      due: false,
    },
    { name: 'after a second', known: window({ own: 4, reported: 3, reportedAt: 1 }), at: 1001, due: true },
  ]
  for (const { name, known, at, due } of rows) it(name, () => assert.equal(isOverdue(known, at), due))
})

describe('others hear at once', () => {
  const rows: { name: string; known: Window; limit: number; much: boolean }[] = [
    { name: 'of an eighth, while nobody is known', known: window({ own: 10 }), limit: 80, much: true },
    { name: 'of no less', known: window({ own: 9 }), limit: 80, much: false },
    { name: 'of an eighth of what is left', known: window({ own: 45, reported: 40 }), limit: 80, much: true },
    {
      name: 'of half a share, where more than four share',
      known: window({ own: 4, counters: 9 }),
      limit: 80,
      much: true,
    },
    {
      name: 'of half a share of what others left',
      known: window({ own: 2, taken: 40, counters: 9 }),
      limit: 80,
      much: true,
    },
    { name: 'of each message near the limit', known: window({ own: 1, taken: 78 }), limit: 80, much: true },
    { name: 'of each message beyond it', known: window({ own: 1, taken: 99 }), limit: 80, much: true },
    { name: 'of nothing twice', known: window({ own: 40, reported: 40 }), limit: 80, much: false },
    {
      name: 'of nothing, after nobody answered',
      known: window({ own: 80, isFailing: true }),
      limit: 80,
      much: false,
    },
  ]
  for (const { name, known, limit, much } of rows) it(name, () => assert.equal(isMuch(known, limit), much))
})

describe('a minute', () => {
  it('is that of the clock', () => {
    assert.equal(minuteOf(0), 0)
    assert.equal(minuteOf(59_999), 0)
    assert.equal(minuteOf(60_000), 1)
  })
})
