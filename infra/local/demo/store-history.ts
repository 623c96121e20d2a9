/**
 * Stores the demo's history: in the events bucket as sealed hours, and refusals of the last day on the events queue, so
 * that the messages table has them too.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { dayMs } from '../../../shared/contract/durations.ts'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { DayRollups } from '../../../shared/events/day-rollups.ts'
import { parquetKey, rollupKey, sealKey } from '../../../shared/events/event-keys.ts'
import { EventQueue } from '../../../shared/events/event-queue.ts'
import { EventStore } from '../../../shared/events/event-store.ts'
import { addHours, hourOf, hoursBetween } from '../../../shared/events/hours.ts'
import { parquetFile } from '../../../shared/events/parquet-file.ts'
import { RollupBuilder } from '../../../shared/events/rollup-builder.ts'
import { connect } from '../aws/clients.ts'
import type { Endpoints } from '../endpoints.ts'
import { type DemoFacts, eventsOfHour } from './history.ts'

const days = 7
const shard = { shard: 0, shards: 1 }
const compress = promisify(gzip)

/** @param now ms since the epoch; the history ends with the last full hour */
export async function storeHistory(endpoints: Endpoints, facts: DemoFacts, now: number): Promise<void> {
  const { s3, sqs } = connect({ endpoints })
  const store = new EventStore(s3, endpoints.eventsBucket)
  const lastHour = addHours(hourOf(now), -1)
  const hours = hoursBetween(addHours(lastHour, 1 - days * 24), lastHour)
  const isListed = ({ kind, at }: MailEvent) => kind === 'Rejected' && Date.parse(at) > now - dayMs
  const refused: MailEvent[] = []
  for (const hour of hours) {
    const events = eventsOfHour(hour, facts)
    refused.push(...events.filter(isListed))
    await storeHour(
      store,
      hour,
      events.filter((event) => !isListed(event)),
    )
  }
  const rollups = new DayRollups(store)
  for (const date of new Set(hours.map((hour) => hour.slice(0, 10)))) await rollups.store(date)
  await new EventQueue(sqs, endpoints.queues.events ?? '').send(refused)
}

/** Writes what a seal of the hour writes. */
async function storeHour(store: EventStore, hour: string, events: readonly MailEvent[]): Promise<void> {
  const rollup = new RollupBuilder()
  for (const event of events) rollup.add(event)
  await store.put(parquetKey(hour, shard, hour), parquetFile([...events].sort(byPartner)))
  await store.put(rollupKey(hour, shard, hour), await compress(JSON.stringify(rollup.build(hour, hour))))
  await store.put(sealKey(hour, shard), Buffer.from('{}'))
}

const byPartner = ({ partner: a = '' }: MailEvent, { partner: b = '' }: MailEvent): number =>
  a < b ? -1 : a > b ? 1 : 0
