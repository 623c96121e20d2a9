/**
 * A name server with preset answers, over UDP and TCP on one port, or over TLS. It records every query, also a query in
 * the clear to a server with TLS.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import packet from 'dns-packet'
import { within } from './within.ts'

export interface ReceivedQuery {
  transport: 'Datagram' | 'Stream' | 'Tls'
  name: string
  type: string
  id: number
  flags: number
  /** Null when the query has no EDNS. */
  edns: { size: number; flags: number } | null
  /** The client's port, which distinguishes the client's connections. */
  port: number
  /** Length of the query in octets. */
  length: number
}

export interface Answer {
  rcode?: number
  /** Flags in addition to QR and RD. The default is RA. */
  flags?: number
  answers?: packet.Record[]
  authorities?: packet.Record[]
  /** An extended DNS error code (RFC 8914). */
  error?: number
  id?: number
  questions?: packet.Question[]
}

/** `End` closes the connection after everything was sent; `Close` closes it immediately. */
export type ReplyPart = Answer | Buffer | 'End' | 'Close'

/** Returns the answers to send, each in its own message. A buffer is sent unchanged. */
export type Script = (
  asked: ReceivedQuery,
  /** Sends a datagram to the client from another port than the server's. */
  elsewhere: (answer: Answer) => Promise<void>,
) => readonly ReplyPart[] | Promise<readonly ReplyPart[]>

export interface NameServer {
  /** The address in the notation of the setting `dnsServers`. */
  address: string
  queries: ReceivedQuery[]
  /** Resolves when no client is connected. */
  idle(): Promise<void>
  /** Closes all connections and resolves when they are closed. */
  closeConnections(): Promise<void>
  stop(): Promise<void>
}

export const soa: packet.Record = {
  name: 'example',
  type: 'SOA',
  ttl: 1,
  data: { mname: 'ns', rname: 'ns', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 },
}

/** @param tls the server's TLS options; a query without TLS is then recorded and not answered */
export async function startNameServer(
  script: Script,
  ip = '127.0.0.1',
  tls?: TlsOptions & { name: string },
): Promise<NameServer> {
  const asked: ReceivedQuery[] = []
  const sockets = new Set<Socket>()
  const family = ip.includes(':') ? 'udp6' : 'udp4'
  const [udp, unrelated] = [createSocket(family), createSocket(family)]
  const answer = async (octets: Buffer, by: 'Stream' | 'Tls', socket: Socket): Promise<void> => {
    const query = read(octets, by, socket.remotePort ?? 0)
    asked.push(query)
    if (tls && by === 'Stream') return
    for (const part of await script(query, async () => {})) {
      if (part === 'Close') socket.destroy()
      else if (part === 'End') socket.end()
      else socket.write(Buffer.isBuffer(part) ? part : packet.streamEncode(replyTo(query, part)))
    }
  }
  const tlsServer = tls && listenByTls(tls, (octets, socket) => answer(octets, 'Tls', socket))
  const tcp = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.once('data', (octets) => {
      if (tlsServer === undefined || octets[0] !== handshake)
        return answer(octets.subarray(2), 'Stream', socket)
      socket.pause()
      socket.unshift(octets)
      tlsServer.emit('connection', socket)
    })
  })
  await once(tcp.listen(0, ip), 'listening')
  const { port } = tcp.address() as AddressInfo
  udp.bind(port, ip)
  unrelated.bind(0, ip)
  await Promise.all([udp, unrelated].map((socket) => once(socket, 'listening')))
  udp.on('message', async (octets, peer) => {
    const query = read(octets, 'Datagram', peer.port)
    asked.push(query)
    if (tls) return
    const elsewhere = (answer: Answer) =>
      new Promise<void>((resolve) =>
        unrelated.send(packet.encode(replyTo(query, answer)), peer.port, peer.address, () => resolve()),
      )
    for (const part of await script(query, elsewhere))
      if (typeof part !== 'string')
        udp.send(Buffer.isBuffer(part) ? part : packet.encode(replyTo(query, part)), peer.port, peer.address)
  })
  const idle = async () => {
    for (const socket of sockets)
      if (!socket.closed) await within(10_000, once(socket, 'close'), 'the end of a connection')
  }
  const place = family === 'udp6' ? `[${ip}]:${port}` : `${ip}:${port}`
  return {
    address: tls ? `tls://${place}#${tls.name}` : place,
    queries: asked,
    idle,
    async closeConnections() {
      for (const socket of sockets) socket.destroy()
      await idle()
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      udp.close()
      unrelated.close()
      await new Promise((closed) => tcp.close(closed))
    },
  }
}

/** Content type of a TLS record that carries a handshake (RFC 8446 §5.1). */
const handshake = 22

/** Creates a TLS server that does not listen. Its caller passes in the connections. */
function listenByTls(tls: TlsOptions, request: (octets: Buffer, socket: Socket) => void): Server {
  return createTlsServer(tls, (socket) => {
    let rest = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (octets: Buffer) => {
      rest = Buffer.concat([rest, octets])
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0)
        request(rest.subarray(2, end), socket)
        rest = rest.subarray(end)
      }
    })
  }).on('tlsClientError', () => {})
}

function read(octets: Buffer, by: ReceivedQuery['transport'], port: number): ReceivedQuery {
  const { id, flags, questions, additionals } = packet.decode(octets)
  const [question] = questions
  const edns = additionals.find(({ type }) => type === 'OPT')
  return {
    transport: by,
    name: question?.name ?? '',
    type: question?.type ?? '',
    id,
    flags,
    edns: edns ? { size: edns.udpPayloadSize ?? 0, flags: edns.flags ?? 0 } : null,
    port,
    length: octets.length,
  }
}

function replyTo(query: ReceivedQuery, answer: Answer): packet.Reply {
  const { rcode = 0, flags = packet.RECURSION_AVAILABLE, answers = [], authorities = [], error } = answer
  const data = Buffer.alloc(2)
  data.writeUInt16BE(error ?? 0)
  return {
    type: 'response',
    id: answer.id ?? query.id,
    flags: packet.RECURSION_DESIRED | flags | (rcode & 0xf),
    questions: answer.questions ?? [{ name: query.name, type: query.type }],
    answers,
    authorities,
    additionals: query.edns
      ? [
          {
            type: 'OPT',
            name: '.',
            extendedRcode: rcode >> 4,
            options: error === undefined ? [] : [{ code: 15, data }],
          },
        ]
      : [],
  }
}
