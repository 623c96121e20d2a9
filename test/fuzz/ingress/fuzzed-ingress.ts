/** Plays a script to a real ingress on loopback, with TLS after STARTTLS. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { SessionOptions, Transaction } from '../../../functions/smtp-ingress/protocol/session.ts'
import { ContentReader } from '../../../shared/content/content-reader.ts'
import { comparableMailbox } from '../../../shared/mail/address.ts'
import { startTestIngress, type TestIngress } from '../../support/ingress/ingress.ts'
import { Random } from '../../support/random.ts'
import {
  compareWithModel,
  type Decisions,
  type ModelMessage,
  ModelMismatch,
  type ModelResult,
} from './model.ts'
import { ReplyReader } from './reply-reader.ts'
import { chunksOf, type Script } from './scripts.ts'

const maxErrors = 20
const maxLineOctets = 65_536
const maxHops = 30
const maxPasses = 3
/** Maximum of concurrent sessions. */
const concurrency = 50
/** The beginning of an alert record (RFC 8446 §5.1); no reply contains it. */
const alert = '\x15\x03'
/** Seconds to wait for a required reply. */
const timeoutSeconds = 20

const optionsWith = (bareNewlines: SessionOptions['bareNewlines']): SessionOptions => ({
  hostname: 'mx.ours.example',
  maxMessageOctets: 36_700_160,
  maxRecipients: 500,
  maxErrors,
  maxIdleCommands: 100,
  maxLineOctets,
  bareNewlines,
  envelopeSyntax: 'Lenient',
})

/** Each function returns null, which allows any decision of connectors or storage. */
const decisions: Decisions = {
  mail: () => null,
  recipient: () => null,
  data: () => null,
  storageReply: () => null,
  isRefused: () => false,
  earlyRefusal: null,
}

export interface IngressCounts {
  handshakes: number
  storedMessages: number
}

export interface Failure {
  script: Script
  error: unknown
}

export class FuzzedIngress {
  readonly counts: IngressCounts = { handshakes: 0, storedMessages: 0 }
  readonly #ingress: TestIngress

  readonly #options: SessionOptions

  private constructor(ingress: TestIngress, options: SessionOptions) {
    this.#ingress = ingress
    this.#options = options
  }

  static async start(bareNewlines: SessionOptions['bareNewlines']): Promise<FuzzedIngress> {
    const sessions = 10 * concurrency
    const ingress = await startTestIngress({
      settings: {
        MAX_ERRORS: maxErrors,
        MAX_LINE_LENGTH: maxLineOctets,
        BARE_NEWLINES: bareNewlines,
        MAX_CONNECTIONS: sessions,
        MAX_CONNECTIONS_PER_ADDRESS: sessions,
        MAX_CONNECTION_RATE_PER_ADDRESS: 0,
      },
    })
    return new FuzzedIngress(ingress, optionsWith(bareNewlines))
  }

  /** @returns the first failed script and its error, or null */
  async play(scripts: readonly Script[]): Promise<Failure | null> {
    let accepted = 0
    const failure = await this.#run(scripts, async (script) => {
      const messages = await this.#playOne(script)
      accepted += messages
    })
    const { bucket, queue, lines } = this.#ingress
    if (!failure && queue.jobs.length !== accepted)
      throw new ModelMismatch(`${queue.jobs.length} messages stored, ${accepted} accepted`)
    this.counts.storedMessages += accepted
    queue.jobs.length = 0
    bucket.objects.clear()
    bucket.operations.length = 0
    lines.length = 0
    return failure
  }

  /**
   * Plays scripts of clients that disconnect early. Their messages in flight may be stored later, where a following
   * `play` would count them. So no `play` may follow.
   */
  leave(scripts: readonly Script[]): Promise<Failure | null> {
    return this.#run(scripts, (script) =>
      new Client(this.#ingress.smtpPort, script, this.#options).leaveEarly(),
    )
  }

  /**
   * Runs scripts concurrently. A session whose handshake was too expensive is played again: on a busy machine, an ordinary
   * handshake may take that long. Each refusal in the log of the ingress excuses one session.
   */
  #run(scripts: readonly Script[], play: (script: Script) => Promise<void>): Promise<Failure | null> {
    return runConcurrently(scripts, async (script) => {
      for (let isPlayed = false; !isPlayed; )
        try {
          await play(script)
          isPlayed = true
        } catch (error) {
          if (!isClosure(error) || !this.#takeExpensiveHandshake()) throw error
        }
    })
  }

  /** Removes one line on a handshake that was too expensive. @returns whether there was one */
  #takeExpensiveHandshake(): boolean {
    const { lines } = this.#ingress
    const at = lines.findIndex(({ cause }) => String(cause).includes('TLS handshakes too expensive'))
    if (at >= 0) lines.splice(at, 1)
    return at >= 0
  }

  /** @throws ModelMismatch when a session continues after its client has disconnected */
  async stop(): Promise<void> {
    const startedAt = performance.now()
    await this.#ingress.drain()
    const durationMs = performance.now() - startedAt
    if (durationMs > 3000)
      throw new ModelMismatch(
        `sessions continued for ${Math.round(durationMs)} ms after their clients disconnected`,
      )
  }

  /** @returns the number of accepted messages */
  async #playOne(script: Script): Promise<number> {
    const client = new Client(this.#ingress.smtpPort, script, this.#options)
    try {
      const { messages } = await client.play()
      let accepted = 0
      for (const message of messages) if (await this.#isStored(message, client.isSecure)) accepted++
      this.counts.handshakes += client.isSecure ? 1 : 0
      return accepted
    } finally {
      client.leave()
    }
  }

  async #isStored(
    { transaction, reading, isWhole, reply }: ModelMessage,
    isSecure: boolean,
  ): Promise<boolean> {
    if (!isWhole) return false
    const head = `\r\n${reading.content}`.split('\r\n\r\n', 1)[0] ?? ''
    const hops = head.match(/\r\nreceived:/gi)?.length ?? 0
    const refusals = [
      ...(reading.fault ? ['550 5.6.'] : []),
      ...(hops > maxHops ? ['554 5.4.14 '] : []),
      ...(isLoop(reading.content, head) ? ['554 5.4.6 '] : []),
    ]
    const expected = refusals.length > 0 ? refusals : ['250 2.0.0 Ok: queued as ']
    if (!expected.some((begin) => reply.startsWith(begin)))
      throw new ModelMismatch(`${reply} instead of ${expected.join(' or ')}`)
    if (!reply.startsWith('250')) return false
    const id = reply.slice(-26)
    const jobs = this.#ingress.queue.jobs.filter(({ message }) => message.id === id)
    const [job] = jobs
    if (!job || jobs.length !== 1) throw new ModelMismatch(`${jobs.length} jobs for message ${id}`)
    const { message, recipients } = job
    if (JSON.stringify(message.envelope) !== JSON.stringify(transaction.mail.envelope))
      throw new ModelMismatch(`envelope ${JSON.stringify(message.envelope)}`)
    if (mailboxes(recipients) !== mailboxes(transaction.recipients))
      throw new ModelMismatch(`to ${mailboxes(recipients)} instead of ${mailboxes(transaction.recipients)}`)
    if (message.source?.helo !== transaction.greeting.name)
      throw new ModelMismatch(`HELO name ${message.source?.helo}`)
    if (message.tls.negotiated && !isSecure)
      throw new ModelMismatch('the job has TLS for a session in the clear')
    const octets = await new ContentReader(this.#ingress.bucket.client).read(message.content)
    const content = octets.toString('latin1')
    const [trace = ''] = /^Received: from [^\r]*(?:\r\n\t[^\r]+)*\r\n/.exec(content) ?? []
    // White space at the start of a message must not continue the ingress's Received field.
    const expectedContent = /^[ \t]/.test(reading.content) ? `\r\n${reading.content}` : reading.content
    if (content.slice(trace.length) !== expectedContent || !trace.includes(` id ${id}`))
      throw new ModelMismatch(`content ${JSON.stringify(content)}`)
    return true
  }
}

/** Whether the server closed the connection during the handshake or just after it. */
const isClosure = (error: unknown): boolean =>
  error instanceof ModelMismatch && /^(?:closed|handshake failed)/.test(error.message)

/** Plays with a limit of concurrent sessions, until a script fails. @returns the first failure, or null */
async function runConcurrently(
  scripts: readonly Script[],
  play: (script: Script) => Promise<void>,
): Promise<Failure | null> {
  const remainingScripts = scripts.values()
  let failure: Failure | null = null
  const worker = async () => {
    for (const script of remainingScripts) {
      if (failure) return
      await play(script).catch((error) => {
        failure ??= { script, error }
      })
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return failure
}

/** The postmaster of the gateway, without a domain or at its host name, in the comparable form of an address. */
const gatewayPostmaster = /^(?:postmaster|(?:postmaster|"postmaster")@mx\.ours\.example)$/

/**
 * Unique mailboxes; the gateway's postmaster belongs to the only accepted domain (RFC 5321 §4.5.1). The original
 * recipient of a DSN is then the address that the client wrote.
 */
function mailboxes(recipients: Transaction['recipients']): string {
  const parametersByMailbox = new Map<string, unknown>()
  for (const { address, notify, orcpt } of recipients) {
    const mailbox = comparableMailbox(address)
    const isMoved = gatewayPostmaster.test(mailbox)
    parametersByMailbox.set(isMoved ? 'postmaster@ours.example' : mailbox, {
      notify,
      orcpt: orcpt ?? (isMoved && address.includes('@') ? `rfc822;${address}` : null),
    })
  }
  return JSON.stringify([...parametersByMailbox])
}

class Client {
  readonly #options: SessionOptions
  readonly #random: Random
  readonly #chunks: string[]
  /** Octets sent before the handshake, then those after it. */
  readonly #segments = [{ octets: '' }]
  readonly #reader = new ReplyReader()
  readonly #tcp: Socket
  /** TCP, or TLS on top of it. */
  #socket: Socket
  #isClosed = false
  /**
   * True when the server has sent a TLS alert, because it read octets after STARTTLS in the clear as the client's
   * handshake.
   */
  #hasTlsAlert = false
  #failure: unknown = null
  #wakeUp: () => void = () => {}
  /** Number of octets of the last segment to which all required replies have arrived. */
  #answeredOctets = 0

  constructor(port: number, script: Script, options: SessionOptions) {
    this.#options = options
    this.#random = new Random(script.seed, 6)
    const opening = this.#random.happens(0.75) ? ['EHLO client.example\r\n', 'STARTTLS\r\n'] : []
    this.#chunks = chunksOf({ ...script, pieces: [...opening, ...script.pieces] })
    this.#tcp = connect(port, '127.0.0.1')
    this.#socket = this.#tcp
    this.#listen()
  }

  get isSecure(): boolean {
    return this.#segments.length > 1
  }

  /** @param leaveAt chunks to send before the client disconnects */
  async play(leaveAt = Number.POSITIVE_INFINITY): Promise<ModelResult> {
    let result = await this.#waitForReplies()
    for (const [index, chunk] of this.#chunks.entries()) {
      if (index === leaveAt) return result
      if (result.isEnded || this.#isClosed || this.#hasTlsAlert) break
      if (result.needsHandshake) {
        if (!(await this.#startTls(result))) return result
        result = await this.#waitForReplies()
      }
      this.#send(chunk)
      if (this.#shouldWait()) result = await this.#waitForReplies()
    }
    return this.#waitForReplies()
  }

  leave(): void {
    this.#tcp.destroy()
  }

  /** Closes both directions, one direction, or resets the connection. */
  async leaveEarly(): Promise<void> {
    await this.play(this.#random.between(0, this.#chunks.length + 1))
    const ending = this.#random.of(['destroy', 'end', 'reset'] as const)
    if (ending === 'destroy') this.leave()
    else if (ending === 'reset') this.#tcp.resetAndDestroy()
    else {
      this.#socket.end()
      while (!this.#isClosed) await this.#waitForEvent()
    }
  }

  /**
   * Whether to wait for the replies: always after STARTTLS, because TLS follows; mostly after DATA, because a message
   * follows; otherwise at random.
   */
  #shouldWait(): boolean {
    const sentText = this.#segments.at(-1)?.octets.slice(this.#answeredOctets) ?? ''
    return /starttls/i.test(sentText) || this.#random.happens(/data *\r\n$/i.test(sentText) ? 0.95 : 0.5)
  }

  #send(chunk: string): void {
    const segment = this.#segments.at(-1)
    if (segment) segment.octets += chunk
    this.#socket.write(chunk, 'latin1')
  }

  /** Waits for all required replies. */
  async #waitForReplies(): Promise<ModelResult> {
    for (;;) {
      if (this.#failure) throw this.#failure
      const result = compareWithModel(this.#options, decisions, this.#segments, this.#reader.replies)
      if (this.#hasTlsAlert) {
        if (result.needsHandshake && result.injectedOctets !== '') return result
        throw new ModelMismatch('a TLS alert without octets after STARTTLS')
      }
      const isDone = !result.needsMore && this.#reader.isWhole
      if (this.#isClosed && !result.isEnded) throw new ModelMismatch('closed without a final reply')
      if (isDone) {
        this.#answeredOctets = this.#segments.at(-1)?.octets.length ?? 0
        return result
      }
      if (this.#isClosed) throw new ModelMismatch('closed before all required replies')
      await this.#waitForEvent()
    }
  }

  /** Counts ticks instead of time, so that a pause of the whole process causes no timeout. */
  async #waitForEvent(): Promise<void> {
    let ticks = 0
    let clock: NodeJS.Timeout | undefined
    await new Promise<void>((resolve, reject) => {
      this.#wakeUp = resolve
      clock = setInterval(() => {
        if (++ticks === timeoutSeconds) reject(this.#timeoutError())
      }, 1000)
    }).finally(() => clearInterval(clock))
  }

  #timeoutError(): ModelMismatch {
    const { replies } = this.#reader
    const sentText = JSON.stringify(this.#segments.map(({ octets }) => octets.slice(-200)))
    return new ModelMismatch(
      `no reply after ${replies.length} replies, the last ${replies.at(-1)}, to ${sentText}`,
    )
  }

  /** @returns true when TLS is established, false when octets in the clear have broken the handshake */
  async #startTls({ injectedOctets }: ModelResult): Promise<boolean> {
    const plainSocket = this.#socket
    plainSocket.removeAllListeners('data').removeAllListeners('close')
    const tlsSocket = connectTls({ socket: plainSocket, rejectUnauthorized: false })
    this.#socket = tlsSocket
    try {
      await Promise.race([
        once(tlsSocket, 'secureConnect'),
        once(tlsSocket, 'close').then(() => Promise.reject(new ModelMismatch('closed during the handshake'))),
      ])
    } catch (error) {
      this.#isClosed = true
      if (injectedOctets !== '') return false
      throw new ModelMismatch(`handshake failed: ${error}`)
    }
    this.#segments.push({ octets: '' })
    this.#answeredOctets = 0
    this.#listen()
    return true
  }

  #listen(): void {
    this.#socket.on('data', (octets: Buffer) => {
      try {
        const text = octets.toString('latin1')
        const [replies = '', ...alerts] = this.isSecure ? [text] : text.split(alert)
        this.#hasTlsAlert ||= alerts.length > 0
        this.#reader.read(replies)
      } catch (error) {
        this.#failure ??= error
      }
      this.#wakeUp()
    })
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => {
      this.#isClosed = true
      this.#wakeUp()
    })
  }
}

/** Whether three `Received` fields of this gateway are in the header section. @param head with a line end before it */
function isLoop(content: string, head: string): boolean {
  if (/^[ \t]/.test(content)) return false
  const fields = head.split(/\r\n(?![ \t])/)
  const own = fields.filter((field) =>
    /^received[ \t]*:(?:.*\s)?by\s+mx\.ours\.example(?![^\s;()])/is.test(field),
  )
  return own.length >= maxPasses
}
