/**
 * A session without sockets: it records what the session writes and asks for; a test decides the policy's answers.
 */
import {
  type Dialogue,
  Session,
  type SessionOptions,
  type Transaction,
  type Wire,
} from '../../../functions/smtp-ingress/protocol/session.ts'
import type { MessageSink } from '../../../functions/smtp-ingress/protocol/sink.ts'
import type { Refused } from '../../../functions/smtp-ingress/replies.ts'
import type { Reply } from '../../../shared/contract/message.ts'
import { reply } from '../../../shared/mail/reply.ts'

const ok = reply(250, '0.0', 'Ok')

/** A received message. */
export interface Taken {
  transaction: Transaction
  content: Buffer
  fault: string | null
  end: 'Ended' | 'Abandoned' | null
}

export class Talk {
  readonly session: Session
  /** Everything that the session wrote. */
  read = ''
  writes = 0
  isHeld = false
  isEnded = false
  handshakes = 0
  readonly refusals: Refused[] = []
  readonly failures: unknown[] = []
  readonly messages: Taken[] = []
  answers: Partial<Dialogue> = {}
  /** What the data of the next messages waits for. */
  room: Promise<void> | undefined
  cut: Refused | null = null
  stored: (message: Taken) => Reply | Promise<Reply> = () => ok

  constructor(options: Partial<SessionOptions> = {}) {
    const wire: Wire = {
      write: (text) => {
        this.read += text
        this.writes++
      },
      secure: () => void this.handshakes++,
      end: () => {
        this.isEnded = true
      },
      hold: () => {
        this.isHeld = true
      },
      release: () => {
        this.isHeld = false
      },
    }
    const dialogue: Dialogue = {
      mail: (mail) => this.answers.mail?.(mail) ?? ok,
      recipient: (recipient, mail) => this.answers.recipient?.(recipient, mail) ?? ok,
      data: (transaction) => this.answers.data?.(transaction) ?? this.#sink(transaction),
      refused: (refused) => void this.refusals.push(refused),
      failed: (error) => void this.failures.push(error),
    }
    const defaults: SessionOptions = {
      hostname: 'mx.ours.example',
      maximumSize: 1_000_000,
      maximumRecipients: 100,
      maximumErrors: 20,
      maximumIdleCommands: 100,
      maximumLine: 65_536,
      unlawfulOctets: 'Refuse',
    }
    this.session = new Session({ ...defaults, ...options }, wire, dialogue)
  }

  /** Starts a session and reads its greeting. */
  static begun(options: Partial<SessionOptions> = {}): Talk {
    const talk = new Talk(options)
    talk.session.greet()
    talk.says('EHLO client.example\r\n')
    return talk
  }

  /** @returns the immediate reply */
  says(text: string): string {
    const before = this.read.length
    this.session.receive(Buffer.from(text, 'latin1'))
    return this.read.slice(before)
  }

  #sink(transaction: Transaction): MessageSink {
    const taken: Taken = { transaction, content: Buffer.alloc(0), fault: null, end: null }
    this.messages.push(taken)
    const talk = this
    return {
      get cut() {
        return talk.cut
      },
      write(octets) {
        taken.content = Buffer.concat([taken.content, octets])
        return talk.room
      },
      async end(fault) {
        taken.fault = fault
        taken.end = 'Ended'
        return fault === null ? talk.stored(taken) : reply(550, '6.11', fault)
      },
      abandon() {
        taken.end = 'Abandoned'
      },
    }
  }
}

/** Resolves when everything that is due now has happened. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
