/**
 * Whatever is recorded, how often and how late, and in whatever order hours are sealed: each event is in one Parquet file and
 * counts once.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { EventKind, eventId } from '../../../shared/contract/events.ts'
import { addHours, hourOf, startOf } from '../../../shared/events/hours.ts'
import { SealedEvents } from '../../support/sealed-events.ts'

const firstHour = '2026-11-30T20'
const hours = 8

/** An event, with the hours after its own in which copies of it are recorded. */
const recordedEvent = fc.record({
  number: fc.nat(200),
  kind: fc.constantFrom(...EventKind.options),
  message: fc.nat(30),
  minute: fc.integer({ min: 0, max: (hours - 1) * 60 }),
  copies: fc.array(
    fc.record({
      /** -1: the clock of the writer is ahead. */
      later: fc.integer({ min: -1, max: hours }),
      /** Two workers may write different times. */
      minutes: fc.nat(59),
    }),
    { minLength: 1, maxLength: 4 },
  ),
})

const scenario = fc.record({
  events: fc.uniqueArray(recordedEvent, {
    selector: ({ kind, number }) => `${kind}${number}`,
    maxLength: 60,
  }),
  /** The number of shards of each hour. */
  shards: fc.array(fc.constantFrom(1, 2, 16), { minLength: 2 * hours + 2, maxLength: 2 * hours + 2 }),
  divided: fc.boolean(),
  /** Hours in the order of their seals, with repetitions; at the end all are sealed. */
  order: fc.array(fc.nat(2 * hours), { maxLength: 20 }),
  together: fc.boolean(),
})

test('the rollups and the Parquet files have each distinct event once, in any order of seals', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ events, shards, divided, order, together }) => {
      const sealed = new SealedEvents()
      const byHour = new Map<string, object[]>()
      for (const { number, kind, message, minute, copies } of events) {
        const at = startOf(firstHour) + minute * 60_000
        const messageId = kind === 'Rejected' ? undefined : `message${message}`
        for (const { later, minutes } of copies) {
          const event = {
            id: eventId(kind, number),
            at: new Date(at + minutes * 60_000).toISOString(),
            kind,
            messageId,
          }
          const recorded = addHours(hourOf(at), later)
          byHour.set(recorded, [...(byHour.get(recorded) ?? []), event])
        }
      }
      for (const [hour, ofHour] of byHour) await sealed.record(hour, ofHour, divided)
      const seal = (index: number) => sealed.sealAll(addHours(firstHour, index - 1), shards[index] as number)
      for (const index of order) await (together ? Promise.all([seal(index), seal(index)]) : seal(index))
      for (let index = 0; index < 2 * hours + 2; index++) await seal(index)

      const expected: Record<string, number> = {}
      for (const { kind } of events) expected[kind] = (expected[kind] ?? 0) + 1
      assert.deepEqual(sealed.countsByKind(), expected)
      const ids = (await sealed.rows()).map(({ id }) => id)
      assert.deepEqual(ids.sort(), events.map(({ kind, number }) => eventId(kind, number)).sort())

      const objects = new Map(sealed.store.objects)
      for (const index of order) await seal(index)
      assert.deepEqual(sealed.store.objects, objects, 'a repeated seal changes nothing')
    }),
    { numRuns: Number(process.env.SEAL_RUNS ?? 8) },
  )
})
