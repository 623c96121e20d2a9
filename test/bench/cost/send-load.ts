/** Sends messages at a rate over sessions that stay open, as a mail server does. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { SmtpClient } from '../../support/local/runner.ts'

export interface LoadTarget {
  readonly endpoints: { readonly smtp: string }
  readonly sender: string
  /** @param serial number of the message */
  recipientOf(serial: number): string
}

export class LoadSender {
  readonly #target: LoadTarget
  readonly #octets: number
  readonly #clients: SmtpClient[] = []
  readonly #waiting: ((client: SmtpClient) => void)[] = []
  #serial = 0
  #refusal: Error | null = null

  private constructor(target: LoadTarget, octets: number) {
    this.#target = target
    this.#octets = octets
  }

  /** Opens the sessions, over TLS. @param octets size of a message */
  static async open(target: LoadTarget, sessions: number, octets: number): Promise<LoadSender> {
    const sender = new LoadSender(target, octets)
    for (let index = 0; index < sessions; index++)
      sender.#clients.push(await SmtpClient.open(target.endpoints, {}))
    return sender
  }

  /** Number of messages so far. */
  get sent(): number {
    return this.#serial
  }

  /** Sends messages at random times (a Poisson process) until `seconds` have passed. @throws Error when one is refused */
  async sendFor(seconds: number, perSecond: number): Promise<void> {
    const end = performance.now() + seconds * 1000
    const sending: Promise<void>[] = []
    let nextAt = performance.now()
    while (nextAt < end && this.#refusal === null) {
      await delay(Math.max(0, nextAt - performance.now()))
      sending.push(this.send())
      nextAt += (-Math.log(1 - Math.random()) * 1000) / perSecond
    }
    await Promise.all(sending)
    if (this.#refusal !== null) throw this.#refusal
  }

  async send(): Promise<void> {
    const serial = this.#serial++
    const client = await this.#take()
    const recipient = this.#target.recipientOf(serial)
    const reply = await client.send(this.#target.sender, [recipient], this.#message(serial, recipient))
    if (!reply.startsWith('250')) this.#refusal ??= new Error(`message ${serial} is refused: ${reply}`)
    this.#release(client)
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.command('QUIT')
  }

  #take(): Promise<SmtpClient> {
    const client = this.#clients.pop()
    return client === undefined
      ? new Promise((resolve) => this.#waiting.push(resolve))
      : Promise.resolve(client)
  }

  #release(client: SmtpClient): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#clients.push(client)
    else waiting(client)
  }

  #message(serial: number, recipient: string): string {
    const header = [
      `From: <${this.#target.sender}>`,
      `To: <${recipient}>`,
      `Subject: Message ${serial} of the recording`,
      `Message-ID: <${randomUUID()}@mail.ours.example>`,
      `Date: ${new Date().toUTCString()}`,
      '\r\n',
    ].join('\r\n')
    const line = `${'x'.repeat(74)}\r\n`
    return header + line.repeat(Math.max(1, Math.round((this.#octets - header.length) / line.length)))
  }
}
