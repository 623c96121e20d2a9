/** `/dead-letters`: jobs that failed for days, or that no version can read. */
import * as z from 'zod'
import { instant } from '../../../shared/http-api/lists.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import { DeadLetter, type DeadLetterFilter, QueueName } from '../dead-letter.ts'
import { type Dependencies, listDeadLetters, redriveDeadLetters } from '../dead-letters.ts'

export type DeadLetterDependencies = Dependencies

const maxLimit = 1000

const truncated = z
  .boolean()
  .describe('whether there may be more: the limit was reached, or the time was over')
const usedTo = z.iso.datetime().describe('the end of the period that was used')

export const DeadLetterList = z.strictObject({
  items: z.array(DeadLetter).describe('oldest first; without letters that another request holds'),
  truncated,
  to: usedTo,
})

export const Redrive = z.strictObject({
  redriven: z.int().nonnegative().describe('number of letters sent to their queues'),
  notDeleted: z
    .int()
    .nonnegative()
    .describe('number of these that are still dead letters, because they could not be deleted'),
  failed: z.int().nonnegative().describe('number of letters that their queue did not accept'),
  skipped: z.int().nonnegative().describe('number of unreadable letters that match; force redrives them'),
  truncated,
  to: usedTo,
})

const FilterFields = z.strictObject({
  queue: QueueName.optional(),
  reason: z.string().min(1).max(1000).optional().describe('a part of the reason, in any letter case'),
  messageId: z.ulid('is not the id of a message').optional(),
  to: instant.optional().describe('sent at or before this time, at the latest now; default: now'),
})
type FilterFields = z.output<typeof FilterFields>

const DeadLetterQuery = FilterFields.extend({
  limit: z.coerce.number().int().min(1).max(maxLimit).default(100).describe('maximum number of letters'),
})

export const RedriveInput = FilterFields.extend({
  limit: z.int().min(1).max(maxLimit).default(maxLimit).describe('maximum number of letters'),
  force: z.boolean().default(false).describe('also redrive letters that this version cannot read'),
})

export function deadLetterRoutes(dependencies: DeadLetterDependencies): Route[] {
  // A later time would include jobs that fail again after a redrive, so that repeated redrives would not end.
  const filterOf = ({ to, ...fields }: FilterFields): DeadLetterFilter => ({
    ...fields,
    until: new Date(Math.min(to?.getTime() ?? Number.POSITIVE_INFINITY, dependencies.now())),
  })
  return [
    route(
      {
        method: 'GET',
        path: '/dead-letters',
        // Listing hides the letters from other requests for seconds, and raises their receive count.
        role: 'operate',
        summary: 'List dead letters, oldest first',
        query: DeadLetterQuery,
        answers: { 200: DeadLetterList },
      },
      async ({ query: { limit, ...fields } }) => {
        const filter = filterOf(fields)
        const { letters, isTruncated } = await listDeadLetters(filter, limit, dependencies)
        const body = { items: letters, truncated: isTruncated, to: filter.until.toISOString() }
        return { status: 200, body }
      },
    ),
    route(
      {
        method: 'POST',
        path: '/dead-letters/redrive',
        role: 'operate',
        summary: 'Send matching dead letters to their queues again',
        body: RedriveInput,
        bodyName: 'RedriveInput',
        answers: { 200: Redrive },
      },
      async ({ body: { limit, force, ...fields }, caller }) => {
        const filter = filterOf(fields)
        const { isTruncated, ...counts } = await redriveDeadLetters(
          filter,
          { limit, force, caller },
          dependencies,
        )
        return { status: 200, body: { ...counts, truncated: isTruncated, to: filter.until.toISOString() } }
      },
    ),
  ]
}
