/** SQS's SendMessageBatch. The MD5 in each response proves that the queue stored the body unchanged. */
import { hash } from 'node:crypto'
import {
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SendMessageBatchResult,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { Patience } from './exchange.ts'
import { Identity } from './identity.ts'
import { type Chance, Service } from './service.ts'
import { targetOf } from './target.ts'

export class BatchSender {
  readonly #sqs: SQSClient
  readonly #url: string
  readonly #patience: Patience
  readonly #chance: Chance | undefined
  readonly #identity: Identity
  #service: Service | null = null

  constructor(sqs: SQSClient, url: string, patience: Patience, chance?: Chance) {
    this.#sqs = sqs
    this.#url = url
    this.#patience = patience
    this.#chance = chance
    this.#identity = new Identity(() => sqs.config.credentials())
  }

  /**
   * Reports an entry whose body arrived damaged as failed.
   * @throws ServiceError, NoAnswerError, SyntaxError, or the SDK's error when it finds no region or credentials
   */
  async send(entries: readonly SendMessageBatchRequestEntry[]): Promise<SendMessageBatchResult> {
    const service = this.#service ?? (await this.#find())
    const body = Buffer.from(JSON.stringify({ QueueUrl: this.#url, Entries: entries }))
    const headers = {
      'content-length': String(body.length),
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'AmazonSQS.SendMessageBatch',
    }
    const request = { method: 'POST', path: '', headers, body: [body], payload: hash('sha256', body) }
    const answer = await service.send(request)
    return checked(JSON.parse(answer.body), entries)
  }

  close(): void {
    this.#service?.close()
  }

  async #find(): Promise<Service> {
    const command = new SendMessageBatchCommand({
      QueueUrl: this.#url,
      Entries: [{ Id: '0', MessageBody: 'body' }],
    })
    const target = await targetOf((command: SendMessageBatchCommand) => this.#sqs.send(command), command)
    this.#service ??= new Service(target, this.#identity, this.#patience, this.#chance)
    return this.#service
  }
}

function checked(
  { Successful = [], Failed = [] }: Partial<SendMessageBatchResult>,
  entries: readonly SendMessageBatchRequestEntry[],
): SendMessageBatchResult {
  const bodies = new Map(entries.map(({ Id, MessageBody }) => [Id, MessageBody]))
  const [intact, damaged] = [[], []] as [typeof Successful, typeof Successful]
  for (const taken of Successful) {
    const body = bodies.get(taken.Id)
    if (body === undefined) continue
    const isIntact = taken.MD5OfMessageBody === hash('md5', body)
    ;(isIntact ? intact : damaged).push(taken)
  }
  const refusals = damaged.map(({ Id }) => ({
    Id,
    Code: 'InvalidChecksum',
    Message: 'the body that the queue stored differs from the body sent',
    SenderFault: false,
  }))
  return { Successful: intact, Failed: [...Failed, ...refusals] }
}
