/** A partner's mail server: accepts every message and records it with its TLS version. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { SMTPServer, type SMTPServerSession } from 'smtp-server'
import type { CertificateAndKey } from '../certificates.ts'

export interface ReceivedMessage {
  readonly from: string
  readonly to: readonly string[]
  /** Null for a message received in the clear. */
  readonly tlsVersion: string | null
  readonly content: Buffer
}

export interface MailServer {
  readonly port: number
  readonly received: readonly ReceivedMessage[]
  close(): Promise<void>
}

/** @param tls null for a server without STARTTLS */
export async function startMailServer(name: string, tls: CertificateAndKey | null): Promise<MailServer> {
  const received: ReceivedMessage[] = []
  const server = new SMTPServer({
    name,
    authOptional: true,
    disabledCommands: tls === null ? ['AUTH', 'STARTTLS'] : ['AUTH'],
    ...(tls !== null && { cert: tls.certificate, key: tls.privateKey }),
    logger: false,
    onData: (stream, session, callback) => {
      buffer(stream).then((content) => {
        received.push({ ...envelopeOf(session), content })
        callback(null, '2.0.0 Message accepted')
      }, callback)
    },
  })
  // A client that aborts a handshake or a connection is not an error of this server.
  server.on('error', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  return {
    port: (server.server.address() as AddressInfo).port,
    received,
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}

function envelopeOf(session: SMTPServerSession): Omit<ReceivedMessage, 'content'> {
  const { mailFrom, rcptTo } = session.envelope
  const { tlsOptions } = session as { tlsOptions?: { version?: string } | false }
  return {
    from: mailFrom === false ? '' : mailFrom.address,
    to: rcptTo.map(({ address }) => address),
    tlsVersion: tlsOptions ? (tlsOptions.version ?? null) : null,
  }
}
