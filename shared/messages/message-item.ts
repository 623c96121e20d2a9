/**
 * The item of a message. All messages with the same client certificate share one item with the certificate and its
 * chain. The revocation status belongs to the session, so it stays in the message.
 */
import { ClientCertificate, Message, type TlsFacts } from '../contract/message.ts'
import { packDetail, unpackDetail } from './packed-detail.ts'

/** A client certificate without its revocation status. */
export const SharedCertificate = ClientCertificate.omit({ revocation: true })
export type SharedCertificate = Omit<ClientCertificate, 'revocation'>

export interface MessageItem {
  /** A packed message without its id and client certificate. */
  detail: Uint8Array
  /** Digest of the client certificate. */
  certificate?: string
  /** Number of recipients. Until each has its own item, the message is not decided. */
  recipients?: number
}

/** Facts by which messages are selected. */
export interface MessageFacts extends Pick<Message, 'direction' | 'source' | 'size' | 'headerMessageId'> {
  tls: Pick<TlsFacts, 'protocol'>
}

/** Reads facts for which no certificate must be read. */
export const messageFactsOf = ({ detail }: Pick<MessageItem, 'detail'>): MessageFacts =>
  unpackDetail(detail) as MessageFacts

export function sharedCertificateOf({ tls }: Message): SharedCertificate | null {
  if (tls.clientCertificate === null) return null
  const { revocation: _, ...certificate } = tls.clientCertificate
  return certificate
}

/** @param certificate digest of the stored client certificate; null when the message has none */
export function messageItem({ id: _, ...message }: Message, certificate: string | null): MessageItem {
  if (certificate === null) return { detail: packDetail(message) }
  const { clientCertificate, ...tls } = message.tls
  const detail = packDetail({ ...message, tls: { ...tls, revocation: clientCertificate?.revocation } })
  return { detail, certificate }
}

/**
 * @param certificates by digest
 * @throws Error when the client certificate is missing
 */
export function messageOfItem(
  { pk, detail, certificate }: MessageItem & { pk: string },
  certificates: ReadonlyMap<string, SharedCertificate>,
): Message {
  const message = unpackDetail(detail) as Omit<Message, 'id'>
  if (certificate === undefined) return Message.parse({ ...message, id: pk })
  const shared = certificates.get(certificate)
  if (shared === undefined)
    throw new Error(`the client certificate of ${pk} is missing from the messages table`)
  const { revocation, ...tls } = message.tls as Message['tls'] & Pick<ClientCertificate, 'revocation'>
  const clientCertificate = { ...shared, ...(revocation && { revocation }) }
  return Message.parse({ ...message, id: pk, tls: { ...tls, clientCertificate } })
}
