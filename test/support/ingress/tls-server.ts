/**
 * TLS sockets as the ingress creates them on STARTTLS, without SMTP. Run as a program, the file starts the server and
 * prints its port.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { TlsService } from '../../../functions/smtp-ingress/tls/tls-service.ts'
import { createTlsService, handshakeFailure } from '../../../functions/smtp-ingress/tls/tls-service.ts'
import type { TlsFacts } from '../../../shared/contract/message.ts'

/** The server's view of one handshake. */
export type HandshakeResult =
  | { kind: 'Facts'; facts: TlsFacts; resumed: boolean }
  | { kind: 'NoFacts'; why: string }
  | { kind: 'Failed'; cause: string; code: string | undefined }

export interface TlsServer {
  port: number
  /** Handshakes in the order in which they ended. */
  handshakes: HandshakeResult[]
  /** Returns the next handshake, past or future. */
  next(): Promise<HandshakeResult>
  close(): void
}

export async function startTlsServer(tls: TlsService): Promise<TlsServer> {
  const handshakes: HandshakeResult[] = []
  let wake = () => {}
  let taken = 0
  const print = (result: HandshakeResult) => {
    handshakes.push(result)
    wake()
  }
  const server = createServer((tcp) => {
    let hello = Buffer.alloc(0)
    let isDone = false
    const failed = (error: Error) => {
      if (isDone) return
      isDone = true
      const { code } = error as NodeJS.ErrnoException
      print({ kind: 'Failed', cause: handshakeFailure(error), code })
      tcp.destroy()
    }
    const take = (octets: Buffer) => {
      hello = Buffer.concat([hello, octets])
      const secureContext = tls.contextForHello(hello, tcp.remoteAddress ?? '')
      if (secureContext === null) return
      tcp.off('data', take)
      tcp.pause()
      tcp.unshift(hello)
      const options = { isServer: true, secureContext, requestCert: true, rejectUnauthorized: false }
      const secured = new TLSSocket(tcp, options)
      for (const event of ['error', '_tlsError']) secured.on(event, failed)
      secured.on('close', () => failed(new Error('closed')))
      secured.once('secure', () => {
        isDone = true
        try {
          print({ kind: 'Facts', facts: tls.facts(secured), resumed: secured.isSessionReused() })
        } catch (error) {
          print({ kind: 'NoFacts', why: (error as Error).message })
        }
        secured.end('hello')
      })
    }
    tcp.on('error', failed)
    tcp.on('close', () => failed(new Error('closed')))
    tcp.on('data', take)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    handshakes,
    async next() {
      while (handshakes.length <= taken) await new Promise<void>((resolve) => (wake = resolve))
      return handshakes[taken++] as HandshakeResult
    },
    close: () => void server.close(),
  }
}

if (import.meta.main) {
  const { TLS_PRIVATE_KEY: privateKey = '', TLS_CERTIFICATE: certificate = '' } = process.env
  const { port } = await startTlsServer(createTlsService({ privateKey, certificate, now: () => new Date() }))
  process.stdout.write(`${port}\n`)
}
