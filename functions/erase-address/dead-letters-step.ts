/**
 * The step that looks into the dead-letter queues. SQS has no query, so it receives all letters, and releases those that
 * stay. A job is deleted if all its recipients are delivered or bounced, because then it has no effect any more. Other jobs
 * are mail that waits, and stay. Events are sent again with the pseudonym.
 */
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import * as z from 'zod'
import { BounceJob, DeliveryJob, EvaluationJob } from '../../shared/contract/jobs.ts'
import { parseJson } from '../../shared/contract/parse-json.ts'
import type { ErasedAddress } from '../../shared/mail/erased-address.ts'
import { dsnKey, erasedKey, recipientKey } from '../../shared/messages/message-keys.ts'
import { isSettled } from '../../shared/messages/recipient-item.ts'
import type { Item, MessagesTable } from './messages-table.ts'
import { rewriteLines } from './objects-step.ts'
import type { Part, Step } from './step.ts'

export interface Dependencies {
  sqs: Pick<SQSClient, 'send'>
  /** URLs of the dead-letter queues of jobs. */
  jobQueues: readonly string[]
  /** URL of the dead-letter queue of events. */
  eventQueue: string
  table: Pick<MessagesTable, 'partition'>
}

/** Longer than the step usually takes, so that it receives no letter twice. */
const visibilityTimeoutSeconds = 300
const lettersPerRequest = 10

export const deadLettersStep = (address: ErasedAddress, dependencies: Dependencies): Step => ({
  async *run() {
    for (const url of [...dependencies.jobQueues, dependencies.eventQueue])
      yield await eraseLetters(url, address, dependencies)
  },
})

async function eraseLetters(url: string, address: ErasedAddress, dependencies: Dependencies): Promise<Part> {
  const { sqs, eventQueue } = dependencies
  const unsettled: string[] = []
  const kept: Message[] = []
  const seen = new Set<string>()
  let deadLetters = 0
  for (let letters = await receive(sqs, url); letters.length > 0; letters = await receive(sqs, url)) {
    // The letters that were sent with the pseudonym arrive too. One that arrives twice shows that the time is over.
    const isAnotherReceive = letters.some(({ MessageId = '' }) => seen.has(MessageId))
    for (const letter of letters) {
      seen.add(letter.MessageId ?? '')
      const result = await (url === eventQueue
        ? eraseEvents(letter, url, address, sqs)
        : eraseJob(letter, address, dependencies))
      if (result === 'Erased') {
        await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: letter.ReceiptHandle }))
        deadLetters += 1
      } else {
        kept.push(letter)
        if (result !== 'Kept') unsettled.push(result.unsettled)
      }
    }
    if (isAnotherReceive) break
  }
  await release(sqs, url, kept)
  return { after: null, erased: { deadLetters }, unsettled }
}

/** `unsettled`: id of the message of a job that must stay; empty if the job names none. */
type LetterResult = 'Kept' | 'Erased' | { unsettled: string }

async function eraseEvents(
  { Body = '', MessageAttributes }: Message,
  url: string,
  address: ErasedAddress,
  sqs: Pick<SQSClient, 'send'>,
): Promise<LetterResult> {
  const text = linesWithout(Body, address)
  if (text === Body) return 'Kept'
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: url,
      MessageBody: text,
      ...(MessageAttributes && { MessageAttributes }),
    }),
  )
  return 'Erased'
}

/** A letter of this queue may have a line that is not JSON. */
function linesWithout(body: string, address: ErasedAddress): string {
  try {
    return rewriteLines(Buffer.from(body), address)?.text ?? body
  } catch {
    return address.replaceIn(body)
  }
}

const Job = z.union([BounceJob, DeliveryJob, EvaluationJob])

async function eraseJob(
  { Body = '' }: Message,
  address: ErasedAddress,
  { table }: Pick<Dependencies, 'table'>,
): Promise<LetterResult> {
  const value = parseJson(Body)
  const hasAddress =
    value === undefined ? address.replaceIn(Body) !== Body : address.replaceInValue(value) !== value
  if (!hasAddress) return 'Kept'
  const { data: job } = Job.safeParse(value)
  if (job === undefined) return { unsettled: '' }
  const items = await table.partition(job.message.id)
  const isDone =
    'at' in job
      ? job.recipients.every(({ recipient }) => isNotified(items, recipient.address, job.kind))
      : job.recipients.every((recipient) => isDecided(items, recipient.address))
  return isDone || hasMark(items) ? 'Erased' : { unsettled: job.message.id }
}

const hasMark = (items: readonly Item[]): boolean => items.some(({ pk, sk }) => sk === erasedKey(pk).sk)

const isDecided = (items: readonly Item[], recipient: string): boolean =>
  items.some(
    (item) => item.sk === recipientKey(item.pk, recipient).sk && isSettled(item as { state?: never }),
  )

/** Whether a DSN was sent, or refused with a reason. */
const isNotified = (items: readonly Item[], recipient: string, kind: BounceJob['kind']): boolean =>
  items.some(({ pk, sk, result }) => sk === dsnKey(pk, recipient, kind).sk && result !== undefined)

async function receive(sqs: Pick<SQSClient, 'send'>, url: string): Promise<Message[]> {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: lettersPerRequest,
      VisibilityTimeout: visibilityTimeoutSeconds,
      // Long polling queries all servers of SQS.
      WaitTimeSeconds: 1,
      MessageAttributeNames: ['All'],
    }),
  )
  return Messages
}

async function release(
  sqs: Pick<SQSClient, 'send'>,
  url: string,
  letters: readonly Message[],
): Promise<void> {
  for (let start = 0; start < letters.length; start += lettersPerRequest) {
    const Entries = letters
      .slice(start, start + lettersPerRequest)
      .map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle, VisibilityTimeout: 0 }))
    await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries }))
  }
}
