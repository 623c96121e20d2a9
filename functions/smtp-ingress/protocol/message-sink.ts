/** Takes the content of a message, after DATA or by BDAT. */
import type { Reply } from '../../../shared/contract/message.ts'
import type { Refusal } from '../replies.ts'
import type { DataFault } from './data-reader.ts'

/** Octets beyond the maximum that are read and dropped: many clients read the reply only after their last octet. */
export const maxDiscardedOctets = 8 * 1024 * 1024

export interface MessageSink {
  /** Null until the client has sent far more than allowed. Then reading stops, and this refusal ends the session. */
  readonly earlyRefusal: Refusal | null
  /** Whether the message is certain to be refused; then `end` returns the refusal. */
  readonly isRefused: boolean
  /** Called before the octets of a chunk (RFC 3030), so that a message is refused as soon as it must become too large. */
  announce(octets: number): void
  /**
   * Takes content: whole lines or parts, without the dots that SMTP adds. The caller reuses the octets, so they must be
   * copied. More calls may follow while a promise is pending.
   * @returns undefined, or a promise that resolves when the client may send more; it never rejects
   */
  write(octets: Buffer): Promise<void> | undefined
  /**
   * Called after the end of data, possibly while a promise of `write` is pending. Called before the last chunk only for
   * a message that is refused or has a fault.
   * @param fault the fault of the received octets, or null. A message with a fault is dropped
   * @param normalisedFrom octets before the first one that is not as the client sent it; null if there is none
   * @returns the reply, 250 only when the message is durable; never rejects. 421 ends the session
   */
  end(fault: DataFault | null, normalisedFrom: number | null): Promise<Reply>
  /**
   * The client disconnected or gave the message up, or the session was ended. An incomplete message is dropped. A complete message is not
   * stored if that can still be prevented, because the client will send it again.
   */
  abandon(): void
}
