/** A rollup counts the events of an hour by the columns of which reports need the counts. */
import * as z from 'zod'
import { EventKind, MailEvent } from '../contract/events.ts'

const { shape } = MailEvent

/** Columns by which events are counted. They have few values. */
const commonDimensions = {
  kind: EventKind,
  direction: shape.direction,
  partner: shape.partner,
  inboundConnector: shape.inboundConnector,
  outboundConnector: shape.outboundConnector,
  mode: shape.mode,
  requiredLevel: shape.requiredLevel,
  policySource: shape.policySource,
  tlsVersion: shape.tlsVersion,
  tlsResult: shape.tlsResult,
  group: shape.group,
  verified: shape.verified,
  revocation: shape.revocation,
  stage: shape.stage,
  decision: shape.decision,
  reason: shape.reason,
  state: shape.state,
  fromClient: z
    .boolean()
    .optional()
    .describe('Accepted: whether a client sent the message; false: mailflow wrote it, such as a DSN'),
  request: shape.request,
  replyCode: z
    .string()
    .optional()
    .describe('the reply without its text: the code and the enhanced status code'),
}

/** Columns of Rejected events only. The client chooses their values, so their number is limited. */
const rejectedDimensions = {
  clientNetwork: z.string().optional().describe('IPv4 address, or the /64 network of an IPv6 address'),
  helo: shape.helo,
  senderDomain: shape.senderDomain,
  recipientDomain: shape.recipientDomain,
}

export const RollupRow = z.object({
  ...commonDimensions,
  ...rejectedDimensions,
  events: z.int().positive().describe('number of events'),
  count: z.int().positive().describe('sum of their column count, in which an absent value is 1'),
  octets: z.int().nonnegative().describe('sum of their column size'),
  recipients: z.int().nonnegative().describe('sum of their column recipients'),
  first: z.iso.datetime().describe('the earliest time'),
  last: z.iso.datetime().describe('the latest time'),
  samples: z.array(z.string()).describe('ids of the first messages; of events, if they have no message'),
})
export type RollupRow = z.infer<typeof RollupRow>

export const dimensions = [...Object.keys(commonDimensions), ...Object.keys(rejectedDimensions)] as (
  | keyof typeof commonDimensions
  | keyof typeof rejectedDimensions
)[]

export const rejectedOnly: ReadonlySet<string> = new Set(Object.keys(rejectedDimensions))

export const Rollup = z.object({
  schemaVersion: z.int(),
  /** The hour at which the events happened, `YYYY-MM-DDTHH`. */
  hour: z.string(),
  /** The sealed hour. The rows of all seals of an hour are to be added. */
  seal: z.string(),
  rows: z.array(RollupRow),
})
export type Rollup = z.infer<typeof Rollup>
