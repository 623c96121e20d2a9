/** A DNS server for the zone, over UDP and, for large answers, TCP (RFC 7766). */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import packet from 'dns-packet'
import { StartError } from '../start-error.ts'
import { type Answer, lookup, type Zone } from './zone.ts'

export interface DnsServer {
  readonly port: number
  close(): void
}

/** The UDP limit without EDNS (RFC 1035 §4.2.1), and the smallest limit with EDNS (RFC 6891 §6.2.3). */
const minUdpOctets = 512

/**
 * @param port 0 chooses a free port
 * @throws StartError when the port cannot be bound
 */
export async function startDnsServer(zone: Zone, port: number): Promise<DnsServer> {
  const tcp = createServer((socket) => serveStream(zone, socket))
  const udp = createSocket('udp4', (query, peer) => {
    const reply = answerDatagram(zone, query)
    if (reply !== null) udp.send(reply, peer.port, peer.address)
  })
  const boundPort = await listenOnBoth(tcp, udp, port)
  return {
    port: boundPort,
    close: () => {
      tcp.close()
      udp.close()
    },
  }
}

async function listenOnBoth(
  tcp: ReturnType<typeof createServer>,
  udp: ReturnType<typeof createSocket>,
  port: number,
): Promise<number> {
  try {
    tcp.listen(port, '127.0.0.1')
    await once(tcp, 'listening')
    const boundPort = (tcp.address() as AddressInfo).port
    udp.bind(boundPort, '127.0.0.1')
    await once(udp, 'listening')
    return boundPort
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new StartError(
      `port ${port} ${code === 'EADDRINUSE' ? 'is already in use' : `cannot be bound: ${code}`} (--dns-port)`,
    )
  }
}

function answerDatagram(zone: Zone, query: Buffer): Buffer | null {
  const decoded = decode(query)
  if (decoded === null) return null
  const reply = answer(zone, decoded)
  const fullReply = packet.encode(reply)
  if (fullReply.length <= udpLimit(decoded)) return fullReply
  // RFC 1035 §4.2.1: TC tells the resolver to repeat the query over TCP.
  return packet.encode({ ...reply, flags: reply.flags | packet.TRUNCATED_RESPONSE, answers: [] })
}

function serveStream(zone: Zone, socket: Socket): void {
  let received: Buffer = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    // RFC 1035 §4.2.2: a length of two octets precedes each message.
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0)
      const decoded = decode(received.subarray(2, end))
      received = received.subarray(end)
      if (decoded === null) return socket.destroy()
      socket.write(packet.streamEncode(answer(zone, decoded)))
    }
  })
}

/** Returns null for octets that are not a query. */
function decode(query: Buffer): packet.Packet | null {
  try {
    const decoded = packet.decode(query)
    return decoded.type === 'query' && decoded.questions.length === 1 ? decoded : null
  } catch {
    return null
  }
}

function udpLimit(query: packet.Packet): number {
  return Math.max(minUdpOctets, optRecordOf(query)?.udpPayloadSize ?? minUdpOctets)
}

/** Finds the OPT record: only a query with EDNS gets a response with EDNS (RFC 6891 §7). */
const optRecordOf = ({ additionals }: packet.Packet) => additionals.find((record) => record.type === 'OPT')

/** Encodes an extended error as the EDNS option with code 15 (RFC 8914 §2). */
function extendedErrors(error: number | undefined): { code: number; data: Buffer }[] {
  return error === undefined ? [] : [{ code: 15, data: Buffer.from([error >> 8, error & 0xff]) }]
}

const rcodes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const

function answer(zone: Zone, query: packet.Packet): packet.Reply {
  const question = query.questions[0] as packet.Question
  const { rcode, secure, error, answers } = lookup(zone, question.name, question.type)
  const flags =
    packet.RECURSION_DESIRED |
    packet.RECURSION_AVAILABLE |
    (secure ? packet.AUTHENTIC_DATA : 0) |
    rcodes[rcode]
  return {
    type: 'response',
    id: query.id,
    flags,
    questions: query.questions,
    answers: answers.map(encodable),
    authorities: answers.length === 0 ? [startOfAuthority] : [],
    additionals: optRecordOf(query) ? [{ type: 'OPT', name: '.', options: extendedErrors(error) }] : [],
  }
}

/** RFC 2308 §2.2: the SOA record lets a resolver distinguish an empty answer from a referral. */
const startOfAuthority = {
  name: '.',
  type: 'SOA',
  ttl: 1,
  data: { mname: 'local', rname: 'local', serial: 1, refresh: 60, retry: 60, expire: 60, minimum: 1 },
}

function encodable(record: Answer): packet.Record {
  const { name, type } = record
  const data = () => {
    switch (record.type) {
      case 'MX':
        return { preference: record.preference, exchange: record.exchange }
      case 'TLSA':
        return { ...record, certificate: Buffer.from(record.certificate, 'hex') }
      case 'TXT':
        // RFC 1035 §3.3.14: a string of a TXT record has at most 255 octets.
        return record.value.match(/.{1,255}/gs) ?? ['']
      default:
        return record.value
    }
  }
  return { name, type, ttl: 1, data: data() }
}
