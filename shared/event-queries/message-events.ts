/** The route that reads the events of a message, for the function that has it and for the OpenAPI document. */
import * as z from 'zod'
import { MailEvent } from '../contract/events.ts'
import type { RouteDescription } from '../http-api/route.ts'

export const MessageEvents = z.strictObject({
  events: z
    .array(z.looseObject(MailEvent.shape))
    .describe('in the order of time; see docs/generated/events.md for the columns'),
  unreadSince: z.iso
    .datetime()
    .nullable()
    .describe(
      'events that were recorded from this time on were too many to read; they can be read within two hours',
    ),
})

export const readMessageEvents = {
  method: 'GET',
  path: '/messages/{id}/events',
  role: 'read',
  summary: 'Read what happened to a message or a refusal, also if its trace has expired',
  answers: { 200: MessageEvents },
  problems: [404],
} as const satisfies RouteDescription
