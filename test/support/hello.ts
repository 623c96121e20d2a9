/** Reads the first message of a TLS client or server (RFC 8446 §4.1, RFC 5246 §7.4.1), as tests record it. */

import { createServer } from 'node:net'
import { connect } from 'node:tls'
import { clientTlsOptions } from '../../shared/net/tls-client.ts'
import type { HopRequirement } from '../../shared/tls/requirement.ts'
import { listen } from './listen.ts'
import { within } from './within.ts'

/** A ClientHello or ServerHello. */
export interface Hello {
  /** The version of TLS 1.2 and earlier; 0x0303 in TLS 1.3. */
  legacyVersion: number
  /** The offered suites; of a server, the selected suite. */
  suites: number[]
  /** The offered compression methods; of a server, the selected method. */
  compressionMethods: number[]
  /** The content of each extension, by its type. */
  extensions: Map<number, Buffer>
}

/** Extension types (RFC 8446 §4.2, RFC 7627 §5.1, RFC 5746 §3.2). */
export const extensionTypes = {
  serverName: 0,
  supportedGroups: 10,
  signatureAlgorithms: 13,
  extendedMasterSecret: 23,
  sessionTicket: 35,
  preSharedKey: 41,
  earlyData: 42,
  supportedVersions: 43,
  renegotiationInfo: 0xff01,
} as const

const handshakeHeaderOctets = 4
const recordHeaderOctets = 5
const clientHello = 1

/** @param octets from the start of the connection; the message is in one record */
export function readHello(octets: Buffer): Hello {
  const isClient = octets[recordHeaderOctets] === clientHello
  let at = recordHeaderOctets + handshakeHeaderOctets
  const take = (length: number): Buffer => {
    at += length
    return octets.subarray(at - length, at)
  }
  const number = (length: number): number => take(length).readUIntBE(0, length)
  const vector = (lengthOctets: number): Buffer => take(number(lengthOctets))
  const legacyVersion = number(2)
  take(32)
  vector(1)
  const suites = isClient ? numbersIn(vector(2)) : [number(2)]
  const compressionMethods = isClient ? [...vector(1)] : [number(1)]
  const extensions = new Map<number, Buffer>()
  const end = at + 2 + octets.readUInt16BE(at)
  take(2)
  while (at < end) extensions.set(number(2), vector(2))
  return { legacyVersion, suites, compressionMethods, extensions }
}

/** @param octets numbers of two octets each */
export const numbersIn = (octets: Buffer): number[] =>
  Array.from({ length: octets.length / 2 }, (_, index) => octets.readUInt16BE(2 * index))

/** The numbers in an extension that holds one vector with a length field of this many octets. */
export const listIn = ({ extensions }: Hello, type: number, lengthOctets = 2): number[] =>
  numbersIn(extensions.get(type)?.subarray(lengthOctets) ?? Buffer.alloc(0))

/** The ClientHello of a delivery, as a server records it. */
export async function helloFor(requirement: HopRequirement): Promise<Hello> {
  const { port, stop } = await listen(
    createServer((socket) => socket.once('data', (octets) => recorded.resolve(octets))),
  )
  const recorded = Promise.withResolvers<Buffer>()
  const client = connect({
    port,
    host: '127.0.0.1',
    servername: 'mx.ours.example',
    ...clientTlsOptions(requirement, [], null),
  })
  client.on('error', () => {})
  const octets = await within(10_000, recorded.promise, 'the ClientHello')
  client.destroy()
  await stop()
  return readHello(octets)
}
