/** The queues of a deployment with their dead-letter queues, on the emulator. */
import {
  CreateQueueCommand,
  type MessageAttributeValue,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import type { QueueName } from '../../functions/connector-api/dead-letter.ts'
import type { Dependencies } from '../../functions/connector-api/dead-letters.ts'
import { startEmulators } from '../../infra/local/aws/emulators.ts'
import {
  type BounceJob,
  type DeliveryJob,
  type EvaluationJob,
  TlsRequirement,
} from '../../shared/contract/jobs.ts'
import { queueUrlsOf } from './api-client.ts'
import { message, receivedAt, recipient } from './fixtures.ts'

export interface DeadLetterSetup {
  /** `intercept` sees each command; it may throw, or return the answer. */
  intercept: {
    before: ((name: string, input: CommandInput) => object | Promise<undefined> | undefined) | null
  }
  dependencies: Pick<Dependencies, 'sqs' | 'urls'>
  /** Sends a body to the dead letters of the queue. @returns the id of the SQS message */
  put(queue: QueueName, body: string | object, fields?: { reason?: string; group?: string }): Promise<string>
  /** The bodies of the queue itself. */
  jobsOf(queue: QueueName): string[]
  /** The visible dead letters, and the number of hidden ones. */
  deadLettersOf(queue: QueueName): { ids: string[]; hidden: number }
  /** Removes all messages. */
  clear(): void
  stop(): Promise<void>
}

export interface CommandInput {
  QueueUrl: string
  WaitTimeSeconds?: number
  Entries?: { Id: string; MessageGroupId?: string }[]
}

export async function startDeadLetters(): Promise<DeadLetterSetup> {
  const { endpoints, queues, close } = await startEmulators(null)
  const client = new SQSClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    endpoint: endpoints.sqs,
  })
  const urls = queueUrlsOf(endpoints.sqs)
  const nameOf = (url: string) => url.split('/').at(-1) ?? ''
  for (const url of Object.values(urls).flatMap(({ queue, deadLetters }) => [queue, deadLetters]))
    await client.send(new CreateQueueCommand({ QueueName: nameOf(url) }))
  const messagesOf = (url: string) => {
    const messages = queues.inspectQueue(nameOf(url))?.messages
    if (messages === undefined) throw new Error(`no queue ${url}`)
    return messages
  }
  const setup: DeadLetterSetup = {
    intercept: { before: null },
    dependencies: {
      urls,
      sqs: {
        async send(command: { constructor: { name: string }; input: CommandInput }, options: object) {
          // The emulator has one server, so an empty response needs no wait.
          if (command.input.WaitTimeSeconds !== undefined) command.input.WaitTimeSeconds = 0
          return (
            (await setup.intercept.before?.(command.constructor.name, command.input)) ??
            client.send(command as never, options)
          )
        },
      } as unknown as Dependencies['sqs'],
    },
    async put(queue, body, { reason, group } = {}) {
      const attributes: Record<string, MessageAttributeValue> =
        reason === undefined ? {} : { reason: { DataType: 'String', StringValue: reason } }
      const { MessageId = '' } = await client.send(
        new SendMessageCommand({
          QueueUrl: urls[queue].deadLetters,
          MessageBody: typeof body === 'string' ? body : JSON.stringify(body),
          MessageAttributes: attributes,
        }),
      )
      // The emulator ignores the message group of a standard queue.
      const stored = messagesOf(urls[queue].deadLetters).ready.find(
        ({ messageId }) => messageId === MessageId,
      )
      if (stored !== undefined && group !== undefined) stored.messageGroupId = group
      return MessageId
    },
    jobsOf: (queue) => messagesOf(urls[queue].queue).ready.map(({ body }) => body),
    deadLettersOf(queue) {
      const { ready, inflight } = messagesOf(urls[queue].deadLetters)
      return { ids: ready.map(({ messageId }) => messageId), hidden: inflight.length }
    },
    clear: () => queues.clearMessages(),
    async stop() {
      client.destroy()
      await close()
    },
  }
  return setup
}

export const evaluationJob = (): EvaluationJob => ({
  message: message(),
  recipients: [recipient()],
  notBefore: null,
})

export const deliveryJob = (): DeliveryJob => ({
  message: message(),
  recipients: [recipient()],
  destination: 'ours.example',
  route: { kind: 'Mx', domain: 'ours.example' },
  tls: TlsRequirement.parse({
    level: 'Opportunistic',
    mode: 'Enforce',
    tlsDomain: null,
    certificateAuthorities: [],
    minimumTlsVersion: 'TLSv1.2',
  }),
  attempt: 3,
})

export const bounceJob = (): BounceJob => ({
  message: message(),
  kind: 'failed',
  at: receivedAt.toISOString(),
  recipients: [
    {
      recipient: recipient(),
      reply: { code: 550, enhanced: '5.1.1', text: 'No such mailbox' },
      explanation: 'The next hop refused the recipient.',
      connector: null,
      willRetryUntil: null,
    },
  ],
})
