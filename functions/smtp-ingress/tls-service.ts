/** The server's side of TLS: what a handshake is made with, and what is known after it. */
import type { SecureContext, TLSSocket } from 'node:tls'
import type { TlsFacts } from '../../shared/contract/message.ts'

export interface TlsService {
  /** For the next handshake; another one when ticket keys or certificates have changed. */
  context(): SecureContext
  /** Of a finished handshake, read once. A promise where a resumed session's certificate chain has to be fetched. */
  facts(socket: TLSSocket): TlsFacts | Promise<TlsFacts>
  stop(): void
}

/** Why a handshake failed, as the metric's dimension `cause`. */
export type HandshakeFailure =
  | 'OldProtocol'
  | 'NoSharedCipher'
  | 'NotTls'
  | 'Alert'
  | 'Closed'
  | 'TimedOut'
  | 'Other'
