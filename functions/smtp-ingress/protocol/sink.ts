/** Where a message goes while it comes. */
import type { Reply } from '../../../shared/contract/message.ts'

export interface MessageSink {
  /**
   * Takes octets of the content: complete lines or parts of them, without the dots that SMTP adds. They are the
   * caller's again when it returns, so what is kept is copied.
   * @returns a promise when the client must be held back until it resolves; it never rejects
   */
  write(octets: Buffer): Promise<void> | undefined
  /** After the final dot. Resolves with the reply, 250 only when the message is durable; it never rejects. */
  end(): Promise<Reply>
  /** The message does not end: the client has left, or its session was ended. Nothing of it remains. */
  abandon(): void
}
