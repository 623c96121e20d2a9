/** Where a message goes while it comes. */
import type { Reply } from '../../../shared/contract/message.ts'
import type { Refused } from '../replies.ts'

/** @typeParam Outcome what `end` tells: to the session, the reply */
export interface MessageSink<Outcome = Reply> {
  /**
   * Takes octets of the content: complete lines or parts of them, without the dots that SMTP adds. They are the
   * caller's again when it returns, so what is kept is copied.
   * @returns a promise when the client must be held back until it resolves; it never rejects. What was read of the
   * client already, 64 KiB at most, may still be written before.
   */
  write(octets: Buffer): Promise<void> | undefined
  /**
   * Whoever reads the message found fault with it. What is kept of it is let go at once, and the client hears of it
   * after its final dot; `write` goes on. The first refusal is the one that is told.
   */
  refuse(refused: Refused): void
  /** The client goes on and on: no more is to be read of it, `end` has its reply, and its connection is closed. */
  readonly hasEnough: boolean
  /** After the final dot, once. Resolves with the outcome, 250 only when the message is durable; it never rejects. */
  end(): Promise<Outcome>
  /**
   * The client has left, or its session was ended. Of a message that has not ended nothing remains; of one that has,
   * what is not stored yet need not be, and nobody reads the outcome.
   */
  abandon(): void
}
