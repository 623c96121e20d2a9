/** Where a message goes while it comes. */
import type { Reply } from '../../../shared/contract/message.ts'
import type { Refused } from '../replies.ts'
import type { DataFault } from './data-reader.ts'

export interface MessageSink {
  /** Set once the client sends far more than it may: nothing more is read, it hears this and its session ends. */
  readonly cut: Refused | null
  /**
   * Takes octets of the content: complete lines or parts of them, without the dots that SMTP adds. They are the
   * caller's again when it returns, so what is kept is copied. What was read with them still follows while a promise
   * of an earlier call is pending.
   * @returns a promise when the client must be held back until it resolves; it never rejects
   */
  write(octets: Buffer): Promise<void> | undefined
  /**
   * After the final dot, which may come while a promise of `write` is pending.
   * @param fault what is wrong with the octets that came; then nothing of them remains
   * @returns the reply, 250 only when the message is durable; it never rejects. 421 ends the session
   */
  end(fault: DataFault | null): Promise<Reply>
  /**
   * The client has left, or its session was ended. A message that had not ended leaves nothing behind; one that had is
   * not stored any more when there is still a choice, since its client will send it again.
   */
  abandon(): void
}
