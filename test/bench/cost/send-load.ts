/** Sends messages at a rate over sessions that stay open, as a mail server does. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { SmtpClient } from '../../support/local/runner.ts'
import type { Setup } from './load-setup.ts'

export class LoadSender {
  readonly #setup: Setup
  readonly #octets: number
  readonly #clients: SmtpClient[] = []
  readonly #waiting: ((client: SmtpClient) => void)[] = []
  #serial = 0
  failures = 0

  private constructor(setup: Setup, octets: number) {
    this.#setup = setup
    this.#octets = octets
  }

  /** Opens the sessions, over TLS. @param octets size of a message */
  static async open(setup: Setup, sessions: number, octets: number): Promise<LoadSender> {
    const sender = new LoadSender(setup, octets)
    for (let index = 0; index < sessions; index++)
      sender.#clients.push(await SmtpClient.open(setup.endpoints, {}))
    return sender
  }

  /** Number of messages that were accepted so far. */
  get accepted(): number {
    return this.#serial - this.failures
  }

  /** Sends messages at random times (a Poisson process) until `seconds` have passed. */
  async sendFor(seconds: number, perSecond: number): Promise<void> {
    const end = performance.now() + seconds * 1000
    const sending: Promise<void>[] = []
    let nextAt = performance.now()
    while (nextAt < end) {
      await delay(Math.max(0, nextAt - performance.now()))
      sending.push(this.send())
      nextAt += (-Math.log(1 - Math.random()) * 1000) / perSecond
    }
    await Promise.all(sending)
  }

  async send(): Promise<void> {
    const serial = this.#serial++
    const client = await this.#take()
    const recipient = this.#setup.recipientOf(serial)
    const reply = await client.send(this.#setup.sender, [recipient], this.#message(serial, recipient))
    if (!reply.startsWith('250')) {
      this.failures += 1
      process.stderr.write(`message ${serial}: ${reply}\n`)
    }
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
      `From: <${this.#setup.sender}>`,
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
