/**
 * Simulates an attack: sessions that are refused at a high rate. Their events go from the ingress's aggregator through
 * record-events and seal-hour, late and with copies as other events do.
 */
import type { Rejection } from '../../../../functions/smtp-ingress/rejections/rejection.ts'
import { RejectionAggregator } from '../../../../functions/smtp-ingress/rejections/rejection-aggregator.ts'
import { newUlid } from '../../../../shared/content/ulid.ts'
import { createRejectedEvent } from '../../../../shared/events/create-event.ts'
import { Recording } from './recording.ts'

/** Events of one task: ten with details, ten counted by network, and one for the hour. */
export const maxEventsPerSecond = 21
/** Events with details, and counted ones, that may come at once. */
export const maxBurst = 200

export interface Attack {
  name: string
  /** The client of a refused session, by its number. */
  client(number: number): Pick<Rejection, 'ip'> & Partial<Rejection>
}

const octets = (number: number) => [16, 8, 0].map((shift) => (number >> shift) & 255)

export const attacks: readonly Attack[] = [
  { name: 'one address', client: () => ({ ip: '192.0.2.1' }) },
  { name: '100 addresses', client: (number) => ({ ip: `10.${octets(number % 100).join('.')}` }) },
  { name: 'a new address each', client: (number) => ({ ip: `10.${octets(number).join('.')}` }) },
  {
    name: 'a new address each, in the name of 5,000 partners',
    client: (number) => ({ ip: `10.${octets(number).join('.')}`, connector: `c${number % 5000}` }),
  },
]

export interface AttackResult {
  refused: number
  events: number
  /** The largest number of events in a second after the first ten. */
  maxPerSecond: number
  /** The sum of the column `count` in the rollups. */
  counted: number
  rollupRows: number
}

const warmUpSeconds = 10
const start = Date.parse('2026-11-30T20:30:00.000Z')

export async function simulateAttack(
  { client }: Attack,
  perSecond: number,
  seconds: number,
): Promise<AttackResult> {
  const aggregator = new RejectionAggregator()
  const recording = new Recording(3)
  const result = { refused: 0, events: 0, maxPerSecond: 0 }
  for (let second = 0; second < seconds; second++) {
    for (let index = 0; index < perSecond; index++)
      aggregator.add({
        at: start + second * 1000 + Math.floor((index * 1000) / perSecond),
        stage: 'Rcpt',
        reason: 'RelayDenied',
        reply: '550 5.7.64 Relay access denied',
        details: () => ({ sender: 'a@elsewhere.example', recipient: 'b@nowhere.example' }),
        ...client(result.refused++),
      })
    const events = aggregator.take().map((fields) => createRejectedEvent(newUlid(), fields))
    result.events += events.length
    if (second >= warmUpSeconds) result.maxPerSecond = Math.max(result.maxPerSecond, events.length)
    await recording.add({ emissions: [{ at: start + (second + 1) * 1000, events }], recipients: [] })
  }
  await recording.end()
  await recording.seal()
  const rows = recording.sealed.rollups().flatMap((rollup) => rollup.rows)
  return {
    ...result,
    counted: rows.reduce((sum, { count }) => sum + count, 0),
    rollupRows: rows.length,
  }
}
