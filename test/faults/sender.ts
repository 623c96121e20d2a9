/** A sending server with many sessions: it sends each message until it is accepted or refused permanently. */
import { setTimeout as delay } from 'node:timers/promises'
import { Random } from '../support/random.ts'
import { ClientSession, ClosedError, SilentError } from './client.ts'
import { type Ending, type Ledger, reversePath } from './ledger.ts'
import { contentOf, stuffed } from './mail.ts'

export interface SenderOptions {
  port: number
  seed: number
  messages: number
  sessions: number
  ledger: Ledger
  /** Called with the number of completed messages. */
  onProgress(done: number): void
}

/** Wait before a deferred message is retried. */
const retryDelayMs = 50

export class Sender {
  readonly #options: SenderOptions
  readonly #deferred: number[] = []
  #next = 0
  #done = 0
  /** Refused greetings, and sessions that ended before a message began. */
  refusedSessions = 0

  constructor(options: SenderOptions) {
    this.#options = options
  }

  /** Resolves when every message is done. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.sessions }, (_, index) => this.#work(index)))
  }

  get #isDone(): boolean {
    return this.#done === this.#options.messages
  }

  async #work(index: number): Promise<void> {
    const random = new Random(this.#options.seed, index, 4)
    while (!this.#isDone) {
      const session = ClientSession.open(this.#options.port)
      try {
        if (await begin(session, random)) await this.#sendSome(session, random)
        else this.refusedSessions++
      } catch (error) {
        if (!(error instanceof ClosedError) && !(error instanceof SilentError)) throw error
        this.refusedSessions++
      }
      session.close()
      if (!this.#isDone) await delay(retryDelayMs * (1 + random.number()))
    }
  }

  /** Sends the messages of one session. */
  async #sendSome(session: ClientSession, random: Random): Promise<void> {
    for (
      let remaining = random.between(1, 60);
      remaining > 0 && session.isOpen && !this.#isDone;
      remaining--
    ) {
      const message = this.#take()
      if (message === null) {
        await delay(retryDelayMs)
        continue
      }
      const ending = await this.#try(session, message, random)
      if (ending.kind === 'Accepted' || ending.kind === 'Refused') this.#options.onProgress(++this.#done)
      else {
        this.#deferred.push(message)
        await delay(retryDelayMs)
      }
    }
    if (session.isOpen) await session.command('QUIT')
  }

  #take(): number | null {
    return this.#deferred.shift() ?? (this.#next < this.#options.messages ? this.#next++ : null)
  }

  async #try(session: ClientSession, message: number, random: Random): Promise<Ending> {
    const { ledger, seed } = this.#options
    const number = ledger.begin(message)
    const octets = stuffed(contentOf(seed, message))
    const ending = await send(session, reversePath(message, number), octets, random).then(
      read,
      (error): Ending => ({ kind: error instanceof SilentError ? 'Silent' : 'Closed' }),
    )
    ledger.end(message, number, ending)
    return ending
  }
}

/** @returns whether the server accepts mail */
async function begin(session: ClientSession, random: Random): Promise<boolean> {
  if (!(await session.reply()).startsWith('220')) return false
  await session.command('EHLO client.elsewhere.example')
  if (!random.happens(0.2)) return true
  if (!(await session.command('STARTTLS')).startsWith('220')) return false
  await session.startTls()
  await session.command('EHLO client.elsewhere.example')
  return true
}

/** @returns the deciding reply: the first refusal, or the last reply */
async function send(session: ClientSession, from: string, octets: Buffer, random: Random): Promise<string> {
  const commands = [`MAIL FROM:<${from}>`, 'RCPT TO:<b@ours.example>', 'DATA']
  const isPipelined = random.happens(0.5)
  if (isPipelined) session.write(commands.map((line) => `${line}\r\n`).join(''))
  let refused: string | null = null
  for (const command of commands) {
    if (!isPipelined && refused !== null) break
    const reply = await (isPipelined ? session.reply() : session.command(command))
    const isAccepted = reply.startsWith(command === 'DATA' ? '354' : '250')
    if (command === 'DATA' && isAccepted && refused !== null) await session.command('.')
    if (!isAccepted) refused ??= reply
    if (reply.startsWith('421')) return leave(session, refused ?? reply)
  }
  if (refused !== null) {
    const reply = await session.command('RSET')
    return reply.startsWith('421') ? leave(session, refused) : refused
  }
  await writeInPieces(session, octets, random)
  const reply = await session.reply()
  return reply.startsWith('421') ? leave(session, reply) : reply
}

/** Closes a session that the server has ended. */
function leave(session: ClientSession, reply: string): string {
  session.close()
  return reply
}

/** Writes the octets: mostly in one piece, sometimes in several pieces that are cut at random. */
async function writeInPieces(session: ClientSession, octets: Buffer, random: Random): Promise<void> {
  let from = 0
  for (let cuts = random.happens(0.25) ? random.between(1, 5) : 0; cuts > 0; cuts--) {
    const to = random.between(from, octets.length)
    session.write(octets.subarray(from, to))
    from = to
    await new Promise((resolve) => setImmediate(resolve))
  }
  session.write(octets.subarray(from))
}

function read(reply: string): Ending {
  const [, id] = /^250 2\.0\.0 Ok: queued as ([0-9A-Z]{26})$/.exec(reply) ?? []
  if (id !== undefined) return { kind: 'Accepted', id }
  return reply.startsWith('4') ? { kind: 'Deferred', reply } : { kind: 'Refused', reply }
}
