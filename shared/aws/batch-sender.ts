/**
 * SQS's SendMessageBatch. The MD5 of each entry in the response proves that the queue stored that entry's body
 * unchanged.
 */
import { hash } from 'node:crypto'
import {
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SendMessageBatchResult,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { CredentialsCache } from './credentials-cache.ts'
import type { RequestTimeouts } from './http-connections.ts'
import { type ClockAndRandom, ServiceClient } from './service-client.ts'
import { resolveTarget } from './target.ts'

export class BatchSender {
  readonly #sqs: SQSClient
  readonly #url: string
  readonly #timeouts: RequestTimeouts
  readonly #clockAndRandom: ClockAndRandom | undefined
  readonly #credentials: CredentialsCache
  #client: ServiceClient | null = null

  constructor(sqs: SQSClient, url: string, timeouts: RequestTimeouts, clockAndRandom?: ClockAndRandom) {
    this.#sqs = sqs
    this.#url = url
    this.#timeouts = timeouts
    this.#clockAndRandom = clockAndRandom
    this.#credentials = new CredentialsCache(() => sqs.config.credentials())
  }

  /**
   * Returns an entry as failed when the MD5 in the response differs from the MD5 of its body.
   * @throws ServiceError, NoResponseError, SyntaxError, or the SDK's error when it finds no region or credentials
   */
  async send(entries: readonly SendMessageBatchRequestEntry[]): Promise<SendMessageBatchResult> {
    const client = this.#client ?? (await this.#createClient())
    const body = Buffer.from(JSON.stringify({ QueueUrl: this.#url, Entries: entries }))
    const headers = {
      'content-length': String(body.length),
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'AmazonSQS.SendMessageBatch',
    }
    const request = { method: 'POST', path: '', headers, body: [body], payloadHash: hash('sha256', body) }
    const response = await client.send(request)
    return verifyBodies(JSON.parse(response.body), entries)
  }

  close(): void {
    this.#client?.close()
  }

  async #createClient(): Promise<ServiceClient> {
    const command = new SendMessageBatchCommand({
      QueueUrl: this.#url,
      Entries: [{ Id: '0', MessageBody: 'body' }],
    })
    const target = await resolveTarget((command: SendMessageBatchCommand) => this.#sqs.send(command), command)
    this.#client ??= new ServiceClient(target, this.#credentials, this.#timeouts, this.#clockAndRandom)
    return this.#client
  }
}

function verifyBodies(
  { Successful = [], Failed = [] }: Partial<SendMessageBatchResult>,
  entries: readonly SendMessageBatchRequestEntry[],
): SendMessageBatchResult {
  const bodies = new Map(entries.map(({ Id, MessageBody }) => [Id, MessageBody]))
  const [intact, damaged] = [[], []] as [typeof Successful, typeof Successful]
  for (const entry of Successful) {
    const body = bodies.get(entry.Id)
    if (body === undefined) continue
    const isIntact = entry.MD5OfMessageBody === hash('md5', body)
    ;(isIntact ? intact : damaged).push(entry)
  }
  const checksumFailures = damaged.map(({ Id }) => ({
    Id,
    Code: 'InvalidChecksum',
    Message: 'the body that the queue stored differs from the body sent',
    SenderFault: false,
  }))
  return { Successful: intact, Failed: [...Failed, ...checksumFailures] }
}
