/** Describes a dead letter without the content of its mail. Pure. */
import type { Message as SqsMessage } from '@aws-sdk/client-sqs'
import * as z from 'zod'
import { BounceJob, DeliveryJob, EvaluationJob, EvaluationQueueJob } from '../../shared/contract/jobs.ts'
import { parseJson } from '../../shared/contract/parse-json.ts'
import { maxReasonLength, reasonAttribute } from '../../shared/lambda/job-source.ts'
import { readJob } from '../../shared/lambda/read-job.ts'
import { countText } from '../../shared/policy/text-lists.ts'

/** The queues whose failed jobs become dead letters. */
export const QueueName = z.enum([
  'Evaluation',
  'Authentication',
  'Delivery',
  'UnprovenDelivery',
  'LowPriorityDelivery',
  'Bounce',
])
export type QueueName = z.infer<typeof QueueName>

const jobSchemas = {
  Evaluation: EvaluationQueueJob,
  Authentication: EvaluationJob,
  Delivery: DeliveryJob,
  UnprovenDelivery: DeliveryJob,
  LowPriorityDelivery: DeliveryJob,
  Bounce: BounceJob,
} as const satisfies Record<QueueName, z.ZodType>

const maxRecipients = 5

export const DeadLetter = z.strictObject({
  queue: QueueName.describe('the queue of the job, to which a redrive sends it'),
  id: z.string().describe('id of the SQS message'),
  at: z.iso
    .datetime()
    .describe('when the job was sent to its queue; to the dead-letter queue if it was unreadable'),
  receives: z
    .int()
    .nonnegative()
    .describe('number of receives, including those of requests for dead letters'),
  kind: z
    .enum(['EvaluationJob', 'CertificateNotice', 'DeliveryJob', 'BounceJob'])
    .nullable()
    .describe('null when the job is unreadable'),
  messageId: z.string().nullable().describe('id of the message; null when the job names none'),
  sender: z.string().nullable().describe('reverse path, empty for a DSN; null when the job names none'),
  recipients: z.array(z.string()).max(maxRecipients).describe('the first addresses'),
  recipientCount: z.int().nonnegative(),
  attempt: z.int().nullable().describe('number of the delivery attempt to make; null for other jobs'),
  reason: z.string().describe('why the job is a dead letter'),
  readable: z.boolean().describe('whether this version can read the job'),
})
export type DeadLetter = z.infer<typeof DeadLetter>

/** Fields of any job, as far as they are there: an unreadable job may still name its message. */
const JobFacts = z.object({
  message: z
    .object({
      id: z.ulid().nullable().catch(null),
      envelope: z
        .object({ mailFrom: z.string().max(320) })
        .nullable()
        .catch(null),
    })
    .catch({ id: null, envelope: null }),
  recipients: z.array(z.unknown()).catch([]),
  attempt: z.int().positive().nullable().catch(null),
})

const RecipientFacts = z.union([
  z.object({ address: z.string().max(320) }),
  z.object({ recipient: z.object({ address: z.string().max(320) }) }).transform(({ recipient }) => recipient),
])

export function describeDeadLetter(queue: QueueName, message: SqsMessage): DeadLetter {
  const { Body: body = '', MessageId: id = '', Attributes: attributes = {} } = message
  const read = readJob<z.ZodType>(jobSchemas[queue], body)
  const receives = Number(attributes.ApproximateReceiveCount ?? 0)
  const statedReason = message.MessageAttributes?.[reasonAttribute]?.StringValue
  return {
    queue,
    id,
    at: new Date(Number(attributes.SentTimestamp ?? 0)).toISOString(),
    receives,
    kind: read.kind === 'Job' ? kindOf(queue, read.job) : null,
    ...factsOf(body),
    // A reason names each fault of each recipient, and a list of letters must fit into one response of Lambda.
    reason: (
      statedReason ??
      (read.kind === 'Job' ? `Received ${countText(receives, 'time')} without success` : read.reason)
    ).slice(0, maxReasonLength),
    readable: read.kind === 'Job',
  }
}

function kindOf(queue: QueueName, job: unknown): DeadLetter['kind'] {
  if (queue === 'Bounce') return 'BounceJob'
  if (queue === 'Authentication') return 'EvaluationJob'
  if (queue !== 'Evaluation') return 'DeliveryJob'
  return (job as z.infer<typeof EvaluationQueueJob>).kind === undefined
    ? 'EvaluationJob'
    : 'CertificateNotice'
}

type Facts = Pick<DeadLetter, 'messageId' | 'sender' | 'recipients' | 'recipientCount' | 'attempt'>

function factsOf(body: string): Facts {
  const facts = JobFacts.safeParse(parseJson(body)).data
  if (facts === undefined)
    return { messageId: null, sender: null, recipients: [], recipientCount: 0, attempt: null }
  const addresses = facts.recipients.flatMap((value) => RecipientFacts.safeParse(value).data?.address ?? [])
  return {
    messageId: facts.message.id,
    sender: facts.message.envelope?.mailFrom ?? null,
    recipients: addresses.slice(0, maxRecipients),
    recipientCount: addresses.length,
    attempt: facts.attempt,
  }
}

/** Absent fields match every dead letter. */
export interface DeadLetterFilter {
  queue?: QueueName | undefined
  /** A part of the reason; letter case is ignored. */
  reason?: string | undefined
  messageId?: string | undefined
  /** Only dead letters with this or an earlier `at`. */
  until: Date
}

export const matchesFilter = (letter: DeadLetter, { queue, reason, messageId, until }: DeadLetterFilter) =>
  (queue === undefined || letter.queue === queue) &&
  (reason === undefined || letter.reason.toLowerCase().includes(reason.toLowerCase())) &&
  (messageId === undefined || letter.messageId === messageId) &&
  Date.parse(letter.at) <= until.getTime()
