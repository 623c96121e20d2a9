/**
 * Ends the waits of jobs whose workers were killed. A batch whose worker died stays invisible for up to ten minutes, and
 * its claims are valid for six minutes. Reads the queues through the emulator's inspection.
 */
import { DynamoDBClient, QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { ChangeMessageVisibilityCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { Endpoints } from '../../../infra/local/endpoints.ts'
import { parseJson } from '../../../shared/contract/parse-json.ts'

const client = { region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }

export interface QueuedMessage {
  url: string
  body: string
}

export interface InFlight extends QueuedMessage {
  handle: string
}

export class QueueWaits {
  readonly #endpoints: Endpoints
  readonly #sqs: SQSClient
  readonly #dynamodb: DynamoDBClient

  constructor(endpoints: Endpoints) {
    this.#endpoints = endpoints
    this.#sqs = new SQSClient({ ...client, endpoint: endpoints.sqs })
    this.#dynamodb = new DynamoDBClient({ ...client, endpoint: endpoints.dynamodb })
  }

  /** The URLs of all queues except the dead letters. */
  get urls(): string[] {
    return Object.entries(this.#endpoints.queues).flatMap(([name, url]) =>
      name.endsWith('DeadLetters') ? [] : [url],
    )
  }

  /** Reads the messages that can be received, and those that workers hold. */
  async inspect(url: string): Promise<{ ready: QueuedMessage[]; inFlight: InFlight[] }> {
    const response = await fetch(`${this.#endpoints.sqs}/_fauxqs/queues/${url.split('/').at(-1)}`)
    const { messages } = (await response.json()) as {
      messages: {
        ready: { body: string }[]
        inflight: { receiptHandle: string; message: { body: string } }[]
      }
    }
    return {
      ready: messages.ready.map(({ body }) => ({ url, body })),
      inFlight: messages.inflight.map(({ receiptHandle, message: { body } }) => ({
        url,
        handle: receiptHandle,
        body,
      })),
    }
  }

  async inFlight(): Promise<InFlight[]> {
    const queues = await Promise.all(this.urls.map((url) => this.inspect(url)))
    return queues.flatMap(({ inFlight }) => inFlight)
  }

  async skip(abandoned: readonly InFlight[]): Promise<void> {
    for (const { url, handle, body } of abandoned) {
      await this.#endLeases(body)
      await unlessEnded(
        'MessageNotInflight',
        this.#sqs.send(
          new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle: handle, VisibilityTimeout: 0 }),
        ),
      )
    }
  }

  /**
   * @param maxHoldPolls number of polls after which no living worker can still hold a batch, even on a slow machine
   * @returns a function to call at each poll. It ends the wait of a job that was in flight for more polls
   */
  createSkipper(maxHoldPolls: number): () => Promise<void> {
    let pollCounts = new Map<string, number>()
    return async () => {
      const held = await this.inFlight()
      pollCounts = new Map(held.map(({ handle }) => [handle, (pollCounts.get(handle) ?? 0) + 1]))
      await this.skip(held.filter(({ handle }) => (pollCounts.get(handle) ?? 0) > maxHoldPolls))
    }
  }

  async #endLeases(body: string): Promise<void> {
    const id = messageIdOf(body)
    if (id === null) return
    const TableName = this.#endpoints.tables.messages
    const { Items = [] } = await this.#dynamodb.send(
      new QueryCommand({
        TableName,
        KeyConditionExpression: 'pk = :id',
        FilterExpression: 'attribute_exists(leaseUntil)',
        ExpressionAttributeValues: { ':id': { S: id } },
      }),
    )
    for (const { pk, sk } of Items)
      await unlessEnded(
        'ConditionalCheckFailedException',
        this.#dynamodb.send(
          new UpdateItemCommand({
            TableName,
            Key: { pk: pk as never, sk: sk as never },
            UpdateExpression: 'SET leaseUntil = :past',
            ConditionExpression: 'attribute_exists(leaseUntil)',
            ExpressionAttributeValues: { ':past': { N: '0' } },
          }),
        ),
      )
  }
}

/** @returns null for events, which are JSON lines */
export function messageIdOf(body: string): string | null {
  const job = parseJson(body) as { message?: { id?: string } } | undefined
  return job?.message?.id ?? null
}

/** Ignores the error `name`: a worker finished the message or the claim between the test's read and its change. */
async function unlessEnded(name: string, touch: Promise<unknown>): Promise<void> {
  await touch.catch((error: Error) => {
    if (error.name !== name) throw error
  })
}
