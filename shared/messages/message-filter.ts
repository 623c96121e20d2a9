/** Filters by facts that the message's own item has and the index does not. Pure. */
import type { Message } from '../contract/message.ts'
import { bareMessageId } from './header-message-id.ts'
import type { MessageFacts } from './message-item.ts'

/** TLS of the session with the client. `None`: the client sent in the clear. */
export const ClientTlsVersions = ['None', 'TLSv1.2', 'TLSv1.3'] as const
export type ClientTlsVersion = (typeof ClientTlsVersions)[number]

/** Null fields match every message. */
export interface MessageFilter {
  direction: Message['direction'] | null
  /** Octets. */
  minSize: number | null
  /** A message that mailflow created has no client, and matches none. */
  tlsVersion: ClientTlsVersion | null
  /** The field Message-ID, with or without its angle brackets. The index has only its beginning. */
  messageId: string | null
}

/** @returns the check of a message, or null if the filter matches every message */
export function messageCheck(filter: MessageFilter): ((message: MessageFacts) => boolean) | null {
  const { direction, minSize, tlsVersion, messageId } = filter
  if (direction === null && minSize === null && tlsVersion === null && messageId === null) return null
  return (message) =>
    (direction === null || message.direction === direction) &&
    (minSize === null || message.size >= minSize) &&
    (tlsVersion === null || (message.source !== null && (message.tls.protocol ?? 'None') === tlsVersion)) &&
    (messageId === null || hasMessageId(message.headerMessageId, messageId))
}

export const hasMessageId = (field: string | undefined, messageId: string): boolean =>
  bareMessageId(field ?? '') === bareMessageId(messageId)
