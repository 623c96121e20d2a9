/** SMTP clients that count the replies at their sockets. A message without a reply is sent again, as clients do. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Endpoints } from '../../../infra/local/endpoints.ts'
import { messageIdIn, SmtpClient } from '../../support/local/runner.ts'
import { contentOf, type PlannedMessage, plannedMessage } from './planned-mail.ts'

export interface ClientCounts {
  /** Serial numbers by the id in the reply 250 at the end of data. */
  accepted: Map<string, number>
  /** Contents that were sent and got no reply. */
  unanswered: number
  /** Negative replies that are rejections. */
  refused: number
}

const sessions = 6
const messagesPerSession = 8
/** Milliseconds after which a client gives up a connection that was opened while the ingress restarted. */
const openTimeoutMs = 5000

export class Clients {
  readonly counts: ClientCounts = { accepted: new Map(), unanswered: 0, refused: 0 }
  readonly #endpoints: Endpoints
  readonly #messages: number
  #next = 0
  /** Sessions that are about to be refused. */
  #refusing = 0
  #mayBeRefused = true

  constructor(endpoints: Endpoints, messages: number) {
    this.#endpoints = endpoints
    this.#messages = messages
  }

  /** Sends all messages. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: sessions }, () => this.#runOne()))
  }

  /** Resolves when no refusal is on its way to a client. From then on no session is refused. */
  async pauseRefusals(): Promise<void> {
    this.#mayBeRefused = false
    while (this.#refusing > 0) await delay(20)
  }

  resumeRefusals(): void {
    this.#mayBeRefused = true
  }

  async #runOne(): Promise<void> {
    while (this.#next < this.#messages) {
      const first = this.#next++
      const planned = [plannedMessage(first)]
      while (planned.length < messagesPerSession && this.#next < this.#messages)
        planned.push(plannedMessage(this.#next++))
      for (const isOverTls of [true, false])
        await this.#sendAll(
          planned.filter((message) => message.isOverTls === isOverTls),
          isOverTls,
        )
      if (this.#mayBeRefused) await this.#beRefused(first)
    }
  }

  async #sendAll(planned: readonly PlannedMessage[], isOverTls: boolean): Promise<void> {
    const remaining = [...planned]
    while (remaining.length > 0) {
      const client = await this.#open(isOverTls)
      while (client !== null && remaining.length > 0) {
        if (!(await this.#send(client, remaining[0] as PlannedMessage))) break
        remaining.shift()
      }
      client?.close()
      if (remaining.length > 0) await delay(200)
    }
  }

  /** @returns whether the message was accepted */
  async #send(client: SmtpClient, message: PlannedMessage): Promise<boolean> {
    for (const command of [
      `MAIL FROM:<${message.sender}>`,
      ...message.recipients.map((address) => `RCPT TO:<${address}>`),
      'DATA',
    ])
      if (!/^[23]/.test(this.#counted(await client.command(command)))) return false
    client.write(`${contentOf(message)}.\r\n`)
    const reply = this.#counted(await client.reply())
    if (reply === '') this.counts.unanswered++
    if (!reply.startsWith('250')) return false
    this.counts.accepted.set(messageIdIn(reply), message.serial)
    return true
  }

  /** A relay that is denied, and a sender whose connector requires TLS. */
  async #beRefused(number: number): Promise<void> {
    this.#refusing++
    const client = await this.#open(false)
    if (client !== null) {
      if (number % 2 === 0) {
        await client.command('MAIL FROM:<client@elsewhere.example>')
        this.#counted(await client.command('RCPT TO:<relayed@nowhere.example>'))
      } else {
        const reply = await client.command('MAIL FROM:<teller@bank.example>')
        this.#counted(reply.startsWith('250') ? await client.command('RCPT TO:<a@ours.example>') : reply)
      }
      client.close()
    }
    this.#refusing--
  }

  /** X.5.z is an error of the protocol, which is no rejection. */
  #counted(reply: string): string {
    if (/^[45]/.test(reply) && !/^\d{3} \d\.5\./.test(reply)) this.counts.refused++
    return reply
  }

  async #open(isOverTls: boolean): Promise<SmtpClient | null> {
    const opening = SmtpClient.open(this.#endpoints, isOverTls ? {} : undefined)
    const timeout = delay(openTimeoutMs, null, { ref: false })
    return Promise.race([opening, timeout]).catch(() => null)
  }
}
