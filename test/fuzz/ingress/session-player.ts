/**
 * Plays a script to the session alone, without sockets and clocks. Each decision is made immediately or later, at
 * random.
 */

import type { MessageSink } from '../../../functions/smtp-ingress/protocol/message-sink.ts'
import type {
  SessionOptions,
  SessionPolicy,
  SessionTransport,
  Transaction,
} from '../../../functions/smtp-ingress/protocol/session.ts'
import { Session } from '../../../functions/smtp-ingress/protocol/session.ts'
import { messageHasBareNewlines, type Refusal, tooLarge } from '../../../functions/smtp-ingress/replies.ts'
import type { Reply } from '../../../shared/contract/message.ts'
import { reply } from '../../../shared/mail/reply.ts'
import { Random } from '../../support/random.ts'
import { compareWithModel, type Decisions, ModelMismatch, type Segment } from './model.ts'
import { ReplyReader } from './reply-reader.ts'
import { chunksOf, type Script } from './scripts.ts'

const acceptedReply = reply(250, '2.0.0', 'accepted')
const decisionsByPrefix: [word: string, reply: Reply][] = [
  ['late', reply(451, '4.3.0', 'later')],
  ['never', reply(550, '5.7.1', 'never')],
  ['bye', reply(421, '4.3.2', 'bye')],
]

/** Decides by the local part, so that model and session make the same decisions. */
const decide = (address: string): Reply =>
  decisionsByPrefix.find(([word]) => address.startsWith(word))?.[1] ?? acceptedReply

const cut = { after: 3000, reply: tooLarge(3000).reply }

const decisions: Decisions = {
  mail: ({ mail }) => decide(mail.envelope.mailFrom),
  recipient: ({ recipient }) => decide(recipient.address),
  data: ({ mail }) => (mail.envelope.mailFrom.startsWith('nodata') ? reply(451, '4.3.0', 'no data') : null),
  storageReply: ({ mail }, { fault }) => {
    if (fault) return messageHasBareNewlines.reply
    return mail.envelope.mailFrom.startsWith('unstored') ? reply(451, '4.3.0', 'not stored') : acceptedReply
  },
  isRefused: ({ mail }) => mail.envelope.mailFrom.startsWith('unstored'),
  earlyRefusal: cut,
}

function optionsFor(random: Random): SessionOptions {
  return {
    hostname: 'mx.ours.example',
    maxMessageOctets: 1_000_000,
    maxRecipients: random.of([1, 3, 100]),
    maxErrors: random.of([2, 20]),
    maxIdleCommands: random.of([5, 100]),
    maxLineOctets: random.of([60, 1000, 65_536]),
    bareNewlines: random.of(['Refuse', 'Normalise']),
    envelopeSyntax: random.of(['Lenient', 'Strict']),
  }
}

interface Message {
  transaction: Transaction
  octets: Buffer[]
  length: number
  /** Octets at the end of the current chunk. */
  announcedLength: number
  end: 'Ended' | 'Abandoned' | null
}

interface ClientSegment {
  octets: string
  borders: Set<number>
}

/** @throws ModelMismatch, or any exception of the session */
export async function playToSession(script: Script): Promise<void> {
  const play = new Play(script)
  await play.run()
}

/** Waits for the effects of resolved promises. */
async function settlePromises(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await null
}

class Play implements SessionTransport, SessionPolicy {
  readonly #script: Script
  readonly #random: Random
  readonly #options: SessionOptions
  readonly #session: Session
  readonly #reader = new ReplyReader()
  readonly #messages: Message[] = []
  readonly #segments: ClientSegment[] = [{ octets: '', borders: new Set() }]
  #pendingDecisions: (() => void)[] = []
  /** Increases with each input of the session. */
  #inputCount = 0
  #isReadingPaused = false
  #isEnded = false
  #isClosed = false
  #needsHandshake = false

  constructor(script: Script) {
    this.#script = script
    this.#random = new Random(script.seed)
    this.#options = optionsFor(this.#random)
    this.#session = new Session(this.#options, this, this)
  }

  async run(): Promise<void> {
    this.#session.sendGreeting()
    const chunks = chunksOf(this.#script)
    // Some clients disconnect after any chunk, possibly while a decision is pending.
    const leavingIndex = this.#random.happens(0.2)
      ? this.#random.between(0, chunks.length + 1)
      : Number.POSITIVE_INFINITY
    for (const [index, chunk] of chunks.entries()) {
      if (index === leavingIndex) return this.#finish()
      if (this.#isEnded) break
      if (this.#needsHandshake) this.#finishHandshake()
      while (this.#isReadingPaused || this.#random.happens(0.3)) if (!(await this.#decideOne())) break
      if (this.#isReadingPaused) throw new ModelMismatch('backpressure without a pending decision')
      if (this.#isEnded) break
      if (this.#needsHandshake) this.#finishHandshake()
      this.#send(chunk)
      await settlePromises()
      this.#check()
    }
    if (leavingIndex === chunks.length) return this.#finish()
    while (await this.#decideOne()) this.#check()
    this.#compareWithModel()
    await this.#finish()
  }

  #send(chunk: string): void {
    const segment = this.#segments.at(-1) as ClientSegment
    segment.octets += chunk
    segment.borders.add(segment.octets.length)
    const octets = Buffer.from(chunk, 'latin1')
    this.#inputCount++
    this.#session.receive(octets)
    // The connection reuses the octets. Only during a decision may the session keep them without a copy.
    if (this.#session.phase !== 'Deciding') octets.fill(0x2e)
  }

  #finishHandshake(): void {
    this.#needsHandshake = false
    this.#segments.push({ octets: '', borders: new Set() })
    this.#session.finishHandshake()
    if (!this.#session.isSecure) throw new ModelMismatch('not secure after the handshake')
  }

  /** @returns whether a decision was pending */
  async #decideOne(): Promise<boolean> {
    const decide = this.#pendingDecisions.shift()
    if (!decide) return false
    this.#inputCount++
    decide()
    await settlePromises()
    return true
  }

  /** Checks that the session waits for octets, a handshake or a pending decision. */
  #check(): void {
    if (this.#isEnded) return
    const isDeciding = this.#session.phase === 'Deciding'
    if (isDeciding && this.#pendingDecisions.length === 0)
      throw new ModelMismatch('deciding without a pending decision')
    if (!isDeciding && this.#isReadingPaused) throw new ModelMismatch('backpressure without a decision')
    if (this.#needsHandshake !== (this.#session.phase === 'Handshake'))
      throw new ModelMismatch(`phase ${this.#session.phase} does not match the handshake`)
  }

  #compareWithModel(): void {
    const { replies, isWhole } = this.#reader
    const segments: Segment[] = this.#segments
    const result = compareWithModel(this.#options, decisions, segments, replies)
    if (result.needsMore || !isWhole) throw new ModelMismatch('a reply is missing')
    if (result.isEnded !== this.#isEnded) throw new ModelMismatch('session and model disagree about the end')
    if (result.needsHandshake !== this.#needsHandshake)
      throw new ModelMismatch('session and model disagree about a handshake')
    const endedMessages = this.#messages.filter(({ end }) => end === 'Ended')
    if (endedMessages.length !== result.messages.length)
      throw new ModelMismatch(`${endedMessages.length} messages instead of ${result.messages.length}`)
    for (const [index, { transaction, reading, isWhole }] of result.messages.entries()) {
      const message = endedMessages[index] as Message
      if (JSON.stringify(message.transaction) !== JSON.stringify(transaction))
        throw new ModelMismatch(`envelope ${JSON.stringify(message.transaction)}`)
      const content = Buffer.concat(message.octets).toString('latin1')
      if (isWhole && !reading.fault && content !== reading.content)
        throw new ModelMismatch(
          `content ${JSON.stringify(content)} instead of ${JSON.stringify(reading.content)}`,
        )
    }
  }

  /** Ends the session in one of several ways. Afterwards, no message and no reply may be incomplete. */
  async #finish(): Promise<void> {
    const end = this.#random.of(['close', 'drain', 'timeOut', 'welcome', 'finish'] as const)
    if (end === 'drain') this.#session.drain()
    if (end === 'timeOut') this.#session.timeOut()
    if (end === 'welcome') this.#session.sendGreeting()
    if (end === 'finish') {
      this.#session.endInput()
      while (await this.#decideOne()) {}
      if (!this.#isEnded) throw new ModelMismatch('the session continues after the client half-closed')
    }
    while (this.#random.happens(0.5) && (await this.#decideOne())) {}
    this.#session.close()
    this.#isClosed = true
    this.#session.receive(Buffer.from('NOOP\r\n'))
    while (await this.#decideOne()) {}
    if (this.#session.phase !== 'Ended') throw new ModelMismatch(`${this.#session.phase} after its end`)
    if (this.#messages.some(({ end }) => end === null))
      throw new ModelMismatch('a message is neither ended nor abandoned')
    if (!this.#reader.isWhole) throw new ModelMismatch('half a reply at the end')
  }

  write(text: string): void {
    if (this.#isEnded || this.#isClosed) throw new ModelMismatch(`written after the end: ${text}`)
    if (text === '') throw new ModelMismatch('an empty write')
    this.#reader.read(text)
  }

  startTls(): void {
    this.#needsHandshake = true
  }

  end(): void {
    if (this.#isEnded) throw new ModelMismatch('ended twice')
    this.#isEnded = true
    this.#needsHandshake = false
  }

  pauseReading(): void {
    if (this.#isReadingPaused) throw new ModelMismatch('reading paused twice')
    this.#isReadingPaused = true
  }

  resumeReading(): void {
    if (!this.#isReadingPaused) throw new ModelMismatch('reading resumed without a pause')
    this.#isReadingPaused = false
  }

  mail(mail: Transaction['mail']): Reply | Promise<Reply> {
    return this.#decideNowOrLater(decisions.mail({ mail }) as Reply)
  }

  recipient(...command: Parameters<SessionPolicy['recipient']>): Reply | Promise<Reply> {
    return this.#decideNowOrLater(decisions.recipient(...command) as Reply)
  }

  data(transaction: Transaction): MessageSink | Reply {
    const refusal = decisions.data(transaction)
    if (refusal) return refusal
    const message: Message = { transaction, octets: [], length: 0, announcedLength: 0, end: null }
    this.#messages.push(message)
    let room: Promise<unknown> = Promise.resolve()
    let waitsSince: number | null = null
    const settle = (end: 'Ended' | 'Abandoned') => {
      // The session may abandon a complete message, because its reply is no longer needed.
      if (message.end === 'Ended' && end === 'Abandoned') return
      if (message.end !== null) throw new ModelMismatch(`${end} and ${message.end}`)
      message.end = end
    }
    return {
      get earlyRefusal() {
        const length = Math.max(message.length, message.announcedLength)
        return length > cut.after ? { reason: 'MessageTooLarge', reply: cut.reply } : null
      },
      isRefused: decisions.isRefused(transaction),
      announce: (octets) => {
        message.announcedLength = message.length + octets
      },
      write: (octets) => {
        if (message.end !== null) throw new ModelMismatch('written to a message after its end')
        if (waitsSince !== null && waitsSince !== this.#inputCount)
          throw new ModelMismatch('written while there is no room')
        message.octets.push(Buffer.from(octets))
        message.length += octets.length
        if (!this.#random.happens(0.2)) return undefined
        const pending = this.#wait()
        const turn = this.#inputCount
        waitsSince = turn
        room = pending
        return pending.then(() => {
          if (room === pending) waitsSince = null
        })
      },
      end: async (fault) => {
        settle('Ended')
        await room
        const expected = { content: '', end: 0, fault }
        return this.#decideNowOrLater(decisions.storageReply(transaction, expected) as Reply)
      },
      abandon: () => settle('Abandoned'),
    }
  }

  recordError(error: unknown): void {
    throw error
  }

  recordRefusal({ reason, reply: { code } }: Refusal): void {
    if (reason === '' || code < 400) throw new ModelMismatch(`refused with ${code}`)
  }

  #decideNowOrLater(reply: Reply): Reply | Promise<Reply> {
    return this.#random.happens(0.5) ? reply : this.#wait().then(() => reply)
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => this.#pendingDecisions.push(resolve))
  }
}
