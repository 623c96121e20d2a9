/** Takes the content of a message during the data phase. */
import type { Reply } from '../../../shared/contract/message.ts'
import type { Refusal } from '../replies.ts'
import type { DataFault } from './data-reader.ts'

export interface MessageSink {
  /** Null until the client has sent far more than allowed. Then reading stops, and this refusal ends the session. */
  readonly earlyRefusal: Refusal | null
  /**
   * Takes content: whole lines or parts, without the dots that SMTP adds. The caller reuses the octets, so they must be
   * copied. More calls may follow while a promise is pending.
   * @returns undefined, or a promise that resolves when the client may send more; it never rejects
   */
  write(octets: Buffer): Promise<void> | undefined
  /**
   * Called after the end of data, possibly while a promise of `write` is pending.
   * @param fault the fault of the received octets, or null. A message with a fault is dropped
   * @returns the reply, 250 only when the message is durable; never rejects. 421 ends the session
   */
  end(fault: DataFault | null): Promise<Reply>
  /**
   * The client disconnected or the session was ended. An incomplete message is dropped. A complete message is not
   * stored if that can still be prevented, because the client will send it again.
   */
  abandon(): void
}
