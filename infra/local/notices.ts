/** What the topics are told, for whoever sits at this machine: a line at once, and the whole of it in a file. */
import type { Writable } from 'node:stream'
import { SubscribeCommand } from '@aws-sdk/client-sns'
import { CreateQueueCommand } from '@aws-sdk/client-sqs'
import type { SQSEvent } from 'aws-lambda'
import { z } from 'zod'
import type { Clients } from './aws/clients.ts'
import { type Poller, startPoller } from './lambda/poller.ts'
import { accountId, region } from './template.ts'

const queueName = 'notices'

/** As SNS wraps a message for a queue. */
const Envelope = z.object({ Subject: z.string().nullable(), Message: z.string(), Timestamp: z.string() })

/**
 * Subscribes to every topic by a queue of its own, as a mailbox would.
 * @param file receives each notice whole
 * @param notify told of each in one line
 */
export async function readNotices(
  { sqs, sns }: Clients,
  topics: readonly string[],
  file: Writable,
  notify: (line: string) => void,
): Promise<Poller> {
  const { QueueUrl: queueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: queueName }))
  const queueArn = `arn:aws:sqs:${region}:${accountId}:${queueName}`
  for (const TopicArn of topics)
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: queueArn }))
  const source = {
    queueUrl,
    queueArn,
    batchSize: 1,
    batchingWindowSeconds: 0,
    reportsBatchItemFailures: false,
    concurrency: 1,
  }
  return startPoller(sqs, source, (event) => show(event, file, notify), notify)
}

async function show({ Records }: SQSEvent, file: Writable, notify: (line: string) => void): Promise<void> {
  for (const { body } of Records) {
    const { Subject, Message, Timestamp } = Envelope.parse(JSON.parse(body))
    const subject = Subject ?? 'notice'
    // Whoever reads the line finds the rest in the file.
    await new Promise((written) => file.write(`${Timestamp} ${subject}\n\n${Message}\n`, written))
    notify(`${subject.replace(/^mailflow: /, '')} (logs/notices.log)`)
  }
}
