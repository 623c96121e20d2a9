/** Reads the messages of the SNS topics: prints one line for each message, and writes the whole message to a file. */
import type { Writable } from 'node:stream'
import { SubscribeCommand } from '@aws-sdk/client-sns'
import { CreateQueueCommand } from '@aws-sdk/client-sqs'
import type { SQSEvent } from 'aws-lambda'
import * as z from 'zod'
import type { Clients } from './aws/clients.ts'
import { type Poller, startPoller } from './lambda/poller.ts'
import { accountId, region } from './template.ts'

const queueName = 'notices'

/** SNS's envelope of a message in a queue. */
const Envelope = z.object({ Subject: z.string().nullable(), Message: z.string(), Timestamp: z.string() })

/**
 * Subscribes a queue to every topic.
 * @param file receives each whole notice
 * @param notify receives one line for each notice
 */
export async function startNoticeReader(
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
  return startPoller(sqs, source, (event) => printNotices(event, file, notify), notify)
}

async function printNotices(
  { Records }: SQSEvent,
  file: Writable,
  notify: (line: string) => void,
): Promise<void> {
  for (const { body } of Records) {
    const { Subject, Message, Timestamp } = Envelope.parse(JSON.parse(body))
    const subject = Subject ?? 'notice'
    // The file is written first, so that a reader of the line finds the notice in the file.
    await new Promise((resolve) => file.write(`${Timestamp} ${subject}\n\n${Message}\n`, resolve))
    notify(`${subject.replace(/^mailflow: /, '')} (logs/notices.log)`)
  }
}
