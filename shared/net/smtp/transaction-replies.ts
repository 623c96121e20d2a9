/** The replies of one mail transaction, and what they say about each recipient. Pure. */
import type { Reply } from '../../contract/message.ts'
import { parseReply, reply } from '../../mail/reply.ts'
import { replyForFault } from '../smtp-faults.ts'
import { isPositiveReply, type ServerReply } from './reply-reader.ts'

/** The result of one message in a session. */
export interface Transaction {
  /** The replies by recipient address; 2yz means accepted. */
  replies: Map<string, Reply>
  /**
   * MAIL was refused, or the connection ended before the reply to MAIL and before the end of the content. So the server
   * has not accepted the message. In a session that has carried other messages, the cause may be the session and not
   * the message.
   */
  isNotBegun: boolean
  /**
   * The recipients' addresses for which no reply to the whole message arrived: the server may have accepted the
   * message.
   */
  unanswered: readonly string[]
  /** The fault of BDAT: the server does not implement it, or the connection ended without a reply to any chunk. */
  chunkingFault: 'Refused' | 'Unanswered' | null
}

/** The end of a transaction without all replies. */
export interface Ending {
  /** For the recipients without a reply of their own. */
  answer: Reply
  isNotBegun?: boolean
  /** Whether the whole content was sent. */
  isUnanswered?: boolean
  /** Whether content was sent, and no reply to it arrived. */
  isChunkUnanswered?: boolean
}

export class TransactionReplies {
  readonly #addresses: readonly string[]
  readonly #usesChunking: boolean
  #senderRefusal: Reply | null = null
  readonly #rejections = new Map<string, Reply>()
  #data: ServerReply | null = null
  /** The first refusal of content, else the latest reply to content. */
  #content: ServerReply | null = null

  constructor(addresses: readonly string[], usesChunking: boolean) {
    this.#addresses = addresses
    this.#usesChunking = usesChunking
  }

  addMail(serverReply: ServerReply): void {
    this.#senderRefusal = refusalOf(serverReply)
  }

  addRecipient(address: string, serverReply: ServerReply): void {
    const refusal = refusalOf(serverReply)
    if (refusal) this.#rejections.set(address, refusal)
  }

  addData(serverReply: ServerReply): void {
    this.#data = serverReply
  }

  /** A server that refused a chunk refuses the following chunks too. */
  addContent(serverReply: ServerReply): void {
    if (!this.isContentRefused) this.#content = serverReply
  }

  /** The reply to DATA. */
  get data(): ServerReply | null {
    return this.#data
  }

  get content(): ServerReply | null {
    return this.#content
  }

  /** Whether no recipient gets the message, whatever the reply to the content is. */
  get isEnvelopeRefused(): boolean {
    return this.#senderRefusal !== null || this.#addresses.every((address) => this.#rejections.has(address))
  }

  /** Whether a reply has refused the message for every recipient. */
  get isRefused(): boolean {
    return this.isEnvelopeRefused || (this.#data?.code ?? 0) >= 400 || this.isContentRefused
  }

  get isContentRefused(): boolean {
    return this.#content !== null && !isPositiveReply(this.#content)
  }

  /** Whether the server does not implement BDAT: then it would read content as commands. */
  get isChunkingRefused(): boolean {
    const code = this.#content?.code ?? 0
    return this.#usesChunking && !this.isEnvelopeRefused && code >= 500 && code <= 504
  }

  /** @param ending null when all replies arrived that can change the result */
  toTransaction(ending: Ending | null): Transaction {
    const {
      answer,
      isNotBegun = false,
      isUnanswered = false,
      isChunkUnanswered = false,
    } = ending ?? { answer: this.#answer }
    return {
      replies: new Map(
        this.#addresses.map((address) => [
          address,
          this.#senderRefusal ?? this.#rejections.get(address) ?? answer,
        ]),
      ),
      isNotBegun: isNotBegun || this.#senderRefusal !== null,
      unanswered: isUnanswered ? this.#addresses.filter((address) => !this.#rejections.has(address)) : [],
      chunkingFault: this.isChunkingRefused
        ? 'Refused'
        : isChunkUnanswered && this.#usesChunking
          ? 'Unanswered'
          : null,
    }
  }

  /** The reply for the recipients that were not rejected. */
  get #answer(): Reply {
    const serverReply = this.#content ?? this.#data
    const answer = serverReply && (refusalOf(serverReply) ?? parseReply(serverReply.text))
    return answer ?? reply(451, '4.5.0', 'Next hop has not replied')
  }
}

/** @returns null for a 2yz reply */
function refusalOf(serverReply: ServerReply): Reply | null {
  return isPositiveReply(serverReply) ? null : replyForFault({ kind: 'Refused', response: serverReply.text })
}
