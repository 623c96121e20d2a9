/**
 * Sends events to the events queue, many in one message: SQS charges for each 64 KiB of a request. A message holds JSON
 * lines. record-events stores the lines as they are, so that columns of a later version are kept.
 */
import type { SQSClient } from '@aws-sdk/client-sqs'
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import type { MailEvent } from '../contract/events.ts'
import { jobBody } from '../contract/jobs.ts'
import { splitIntoParts } from '../contract/parts.ts'

/** Octets of a message's body. A large body costs no more than small ones, and needs fewer entries. */
const maxBodyOctets = 60_000
/** SendMessageBatch takes ten messages, and 1 MiB. */
const maxBodies = 10

export class EventQueue {
  readonly #sqs: Pick<SQSClient, 'send'>
  readonly #url: string

  constructor(sqs: Pick<SQSClient, 'send'>, url: string) {
    this.#sqs = sqs
    this.#url = url
  }

  /**
   * Sends all events. A repetition sends some of them twice, which is harmless: a copy has the same id.
   * @throws Error when an event may not have been sent; the caller must then repeat its work
   */
  async send(events: readonly MailEvent[]): Promise<void> {
    const lines = events.map((event) => `${jobBody(event)}\n`)
    const bodies = splitIntoParts({ items: Infinity, octets: maxBodyOctets }, lines, (line) =>
      Buffer.byteLength(line),
    ).map((part) => part.join(''))
    const requests = splitIntoParts({ items: maxBodies, octets: Infinity }, bodies, () => 0)
    await Promise.all(requests.map((request) => this.#send(request)))
  }

  async #send(bodies: readonly string[]): Promise<void> {
    const Entries = bodies.map((MessageBody, index) => ({ Id: String(index), MessageBody }))
    const { Successful = [], Failed = [] } = await this.#sqs.send(
      new SendMessageBatchCommand({ QueueUrl: this.#url, Entries }),
    )
    if (Successful.length === Entries.length) return
    const [failure] = Failed
    throw new Error(
      `the events queue did not accept events: ${failure?.Code} ${failure?.Message ?? ''}`.trim(),
    )
  }
}
