/**
 * Drives a session without sockets. It records the session's output, messages, refusals and errors. The test sets the
 * policy's answers.
 */

import type { MessageSink } from '../../../functions/smtp-ingress/protocol/message-sink.ts'
import {
  Session,
  type SessionOptions,
  type SessionPolicy,
  type SessionTransport,
  type Transaction,
} from '../../../functions/smtp-ingress/protocol/session.ts'
import type { RefusalContext } from '../../../functions/smtp-ingress/rejections/rejection.ts'
import type { Refusal } from '../../../functions/smtp-ingress/replies.ts'
import type { Reply } from '../../../shared/contract/message.ts'
import { reply } from '../../../shared/mail/reply.ts'

const ok = reply(250, '2.0.0', 'Ok')

/** A received message. */
export interface ReceivedMessage {
  transaction: Transaction
  content: Buffer
  fault: string | null
  /** Sizes of the chunks. */
  announced: number[]
  end: 'Ended' | 'Abandoned' | null
}

export class SessionDriver {
  readonly session: Session
  /** The session's complete output. */
  read = ''
  writes = 0
  isHeld = false
  isEnded = false
  handshakes = 0
  readonly refusals: Refusal[] = []
  readonly refusalContexts: [context: RefusalContext, clientName: string][] = []
  readonly failures: unknown[] = []
  readonly messages: ReceivedMessage[] = []
  answers: Partial<SessionPolicy> = {}
  /** The promise that each write of a message's octets returns. The session waits until it resolves. */
  room: Promise<void> | undefined
  cut: Refusal | null = null
  /** True when messages are certain to be refused; then `stored` gives the refusal. */
  isRefused = false
  stored: (message: ReceivedMessage) => Reply | Promise<Reply> = () => ok

  constructor(options: Partial<SessionOptions> = {}) {
    const wire: SessionTransport = {
      write: (text) => {
        this.read += text
        this.writes++
      },
      startTls: () => void this.handshakes++,
      end: () => {
        this.isEnded = true
      },
      pauseReading: () => {
        this.isHeld = true
      },
      resumeReading: () => {
        this.isHeld = false
      },
    }
    const policy: SessionPolicy = {
      mail: (mail, greeting) => this.answers.mail?.(mail, greeting) ?? ok,
      recipient: (recipient, mail) => this.answers.recipient?.(recipient, mail) ?? ok,
      data: (transaction) => this.answers.data?.(transaction) ?? this.#sink(transaction),
      recordRefusal: (refused, ...context) => {
        this.refusals.push(refused)
        this.refusalContexts.push(context)
      },
      recordError: (error) => void this.failures.push(error),
    }
    const defaults: SessionOptions = {
      hostname: 'mx.ours.example',
      maxMessageOctets: 1_000_000,
      maxRecipients: 100,
      maxErrors: 20,
      maxIdleCommands: 100,
      maxLineOctets: 65_536,
      bareNewlines: 'Refuse',
      envelopeSyntax: 'Lenient',
    }
    this.session = new Session({ ...defaults, ...options }, wire, policy)
  }

  /** Starts a session whose greeting and reply to EHLO have been sent. */
  static greeted(options: Partial<SessionOptions> = {}): SessionDriver {
    const driver = new SessionDriver(options)
    driver.session.sendGreeting()
    driver.send('EHLO client.example\r\n')
    return driver
  }

  /** @returns the immediate reply */
  send(text: string): string {
    const before = this.read.length
    this.session.receive(Buffer.from(text, 'latin1'))
    return this.read.slice(before)
  }

  #sink(transaction: Transaction): MessageSink {
    const taken: ReceivedMessage = {
      transaction,
      content: Buffer.alloc(0),
      fault: null,
      announced: [],
      end: null,
    }
    this.messages.push(taken)
    const driver = this
    return {
      get earlyRefusal() {
        return driver.cut
      },
      get isRefused() {
        return driver.isRefused
      },
      announce: (octets) => void taken.announced.push(octets),
      write(octets) {
        taken.content = Buffer.concat([taken.content, octets])
        return driver.room
      },
      async end(fault) {
        taken.fault = fault
        taken.end = 'Ended'
        return fault === null ? driver.stored(taken) : reply(550, '5.6.11', fault)
      },
      abandon() {
        taken.end = 'Abandoned'
      },
    }
  }
}

/** Resolves after the pending callbacks have run. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
