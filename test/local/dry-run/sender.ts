/** Sends the planned mail over real sessions, each client from its own address. */
import { setTimeout as delay } from 'node:timers/promises'
import { SmtpClient } from '../../support/local/runner.ts'
import { contentOf, type PlannedMail } from './planned-mail.ts'
import type { Stack } from './stack.ts'

/** The replies to one mail. */
export interface Sent {
  mail: PlannedMail
  /** To RCPT TO, by recipient. */
  rcpt: Map<string, string>
  /** To the message; null if no recipient was accepted. */
  final: string | null
}

const sessions = 12
const mailsPerSession = 8

export interface SendOptions {
  /** Refusals per second; above ten, the ingress counts rejections together. */
  maxRefusals?: number
}

export async function sendAll(
  stack: Stack,
  planned: readonly PlannedMail[],
  { maxRefusals = Number.POSITIVE_INFINITY }: SendOptions = {},
): Promise<Sent[]> {
  const batches = batchesOf(planned)
  const sent: Sent[] = []
  let refusedUntil = Date.now()
  const next = async (): Promise<void> => {
    for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
      const session = new Session(stack, batch[0] as PlannedMail)
      for (const mail of batch) {
        await delay(Math.max(0, refusedUntil - Date.now()))
        const result = await session.send(mail)
        const refusals = [...result.rcpt.values(), result.final ?? ''].filter((reply) =>
          /^[45]/.test(reply),
        ).length
        refusedUntil = Math.max(refusedUntil, Date.now()) + (refusals * 1000) / maxRefusals
        sent.push(result)
      }
      session.close()
    }
  }
  await Promise.all(Array.from({ length: sessions }, next))
  return sent.sort((first, second) => first.mail.number - second.mail.number)
}

/** Mail of one client each. */
function batchesOf(planned: readonly PlannedMail[]): PlannedMail[][] {
  const byClient = Map.groupBy(planned, ({ client }) => JSON.stringify(client))
  return [...byClient.values()].flatMap((mails) =>
    Array.from({ length: Math.ceil(mails.length / mailsPerSession) }, (_, index) =>
      mails.slice(index * mailsPerSession, (index + 1) * mailsPerSession),
    ),
  )
}

/** The session ended, or the ingress asked for another session. */
class SessionEnded extends Error {}

const maxTries = 4

class Session {
  readonly #stack: Stack
  readonly #first: PlannedMail
  #client: SmtpClient | null = null

  constructor(stack: Stack, first: PlannedMail) {
    this.#stack = stack
    this.#first = first
  }

  async send(mail: PlannedMail): Promise<Sent> {
    for (let tries = 1; ; tries++)
      try {
        return await this.#transact(mail)
      } catch (error) {
        this.close()
        if (!(error instanceof SessionEnded) || tries === maxTries) throw error
        await delay(200 * tries)
      }
  }

  close(): void {
    this.#client?.close()
    this.#client = null
  }

  async #transact(mail: PlannedMail): Promise<Sent> {
    const { client } = this.#first
    this.#client ??= await SmtpClient.open(
      this.#stack.runner.endpoints,
      this.#stack.clientTls(client),
      client.ip,
    )
    const rcpt = new Map<string, string>()
    await this.#command(`MAIL FROM:<${mail.sender}>`)
    for (const recipient of mail.recipients)
      rcpt.set(recipient, await this.#command(`RCPT TO:<${recipient}>`))
    if (![...rcpt.values()].some((reply) => reply.startsWith('250'))) {
      await this.#command('RSET')
      return { mail, rcpt, final: null }
    }
    await this.#command('DATA')
    return { mail, rcpt, final: await this.#command(`${contentOf(mail)}.`) }
  }

  async #command(line: string): Promise<string> {
    const reply = (await this.#client?.command(line)) ?? ''
    if (reply === '' || reply.startsWith('421')) throw new SessionEnded(`${line}: ${reply}`)
    return reply
  }
}
