/** `/messages/{id}/events`: everything that happened to one message. */
import { decodeTime } from 'ulid'
import { dayMs } from '../../../shared/contract/durations.ts'
import { MessageEvents, readMessageEvents } from '../../../shared/event-queries/message-events.ts'
import { startOf } from '../../../shared/events/hours.ts'
import { isUlid } from '../../../shared/http-api/lists.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import type { TrailReader } from '../trail.ts'

export interface TrailDependencies {
  trails: Pick<TrailReader, 'read'>
  retentionDays: number
  /** Milliseconds since the epoch. */
  now(): number
}

export const trailRoute = ({ trails, retentionDays, now }: TrailDependencies): Route =>
  route(readMessageEvents, async ({ parameter }) => {
    const isKept = isUlid(parameter) && now() - decodeTime(parameter) < (retentionDays + 1) * dayMs
    const { events, unreadSince } = isKept ? await trails.read(parameter) : { events: [], unreadSince: null }
    if (events.length === 0 && unreadSince === null)
      throw new Problem(404, `There are no events of such a message in the last ${retentionDays} days.`)
    const body = MessageEvents.parse({
      events,
      unreadSince: unreadSince === null ? null : new Date(startOf(unreadSince)).toISOString(),
    })
    return { status: 200, body }
  })
