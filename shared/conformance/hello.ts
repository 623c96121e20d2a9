/**
 * Writes a ClientHello and reads the server's answer (RFC 8446 §4.1, RFC 5246 §7.4), without cryptography. Node's TLS
 * cannot offer some parameters, and does not report others. In TLS 1.3 the hello has no key share, so the server names
 * its preferred group in a HelloRetryRequest. Attack: a hostile server sends false lengths or endless data. Defence:
 * every length is checked, and the caller bounds the octets. Not covered: a server that selects other parameters for a
 * real client.
 */
import { randomBytes } from 'node:crypto'
import { suiteName } from './suite-names.ts'

export const versions = {
  SSLv3: 0x0300,
  TLSv1: 0x0301,
  'TLSv1.1': 0x0302,
  'TLSv1.2': 0x0303,
  'TLSv1.3': 0x0304,
}
export type Version = keyof typeof versions

export interface HelloOptions {
  version: Version
  suites: readonly number[]
  groups: readonly number[]
  /** Signature schemes (RFC 8446 §4.2.3). */
  signatures: readonly number[]
  /** SNI; null sends none. */
  serverName: string | null
}

/** The parameters that the server selects. */
export interface Selection {
  kind: 'Selected'
  version: number
  suite: number
  compression: number
  /** The types of the server's extensions. */
  extensions: readonly number[]
  group: number | null
  /** Size of the finite-field group; null without DHE. */
  dhBits: number | null
  /** The scheme of the key exchange's signature, in TLS 1.2. */
  signature: number | null
}

/** `Refused`: an alert, an answer that is not TLS, or a closed connection. `Incomplete`: more octets must follow. */
export type Answer = Selection | { kind: 'Refused' } | { kind: 'Incomplete' }

/** Extension types (RFC 8446 §4.2, RFC 5746 §3.2). */
export const extensionTypes = {
  truncatedHmac: 4,
  heartbeat: 15,
  encryptThenMac: 22,
  extendedMasterSecret: 23,
  sessionTicket: 35,
  renegotiationInfo: 0xff01,
} as const

const numbers = (list: readonly number[]): Buffer => {
  const octets = Buffer.alloc(2 * list.length)
  list.forEach((number, index) => void octets.writeUInt16BE(number, 2 * index))
  return octets
}

/** Returns the content after its length. */
function vector(lengthOctets: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const length = Buffer.alloc(lengthOctets)
  length.writeUIntBE(content.length, 0, lengthOctets)
  return Buffer.concat([length, content])
}

const extension = (type: number, ...content: Buffer[]): Buffer =>
  Buffer.concat([numbers([type]), vector(2, ...content)])

const { truncatedHmac, heartbeat, encryptThenMac, extendedMasterSecret, sessionTicket, renegotiationInfo } =
  extensionTypes

function extensionsOf({ version, groups, signatures, serverName }: HelloOptions): Buffer[] {
  if (version === 'SSLv3') return []
  const common = [
    ...(serverName === null
      ? []
      : [extension(0, vector(2, Buffer.from([0]), vector(2, Buffer.from(serverName))))]),
    extension(10, vector(2, numbers(groups))),
    extension(13, vector(2, numbers(signatures))),
  ]
  // supported_versions, key_share without a share, psk_key_exchange_modes
  if (version === 'TLSv1.3')
    return [
      ...common,
      extension(43, vector(1, numbers([versions[version]]))),
      extension(51, vector(2)),
      extension(45, vector(1, Buffer.from([1]))),
    ]
  return [
    ...common,
    extension(11, vector(1, Buffer.from([0]))),
    extension(renegotiationInfo, vector(1)),
    extension(heartbeat, Buffer.from([1])),
    ...[truncatedHmac, encryptThenMac, extendedMasterSecret, sessionTicket].map((type) => extension(type)),
  ]
}

/** DEFLATE and null; TLS 1.3 permits only null. */
const compressionOf = (version: Version): Buffer => Buffer.from(version === 'TLSv1.3' ? [0] : [1, 0])

export function writeClientHello(options: HelloOptions): Buffer {
  const legacyVersion = Math.min(versions[options.version], versions['TLSv1.2'])
  const extensions = extensionsOf(options)
  const body = Buffer.concat([
    numbers([legacyVersion]),
    randomBytes(32),
    // TLS 1.3 in compatibility mode has a session id (RFC 8446 §D.4).
    vector(1, options.version === 'TLSv1.3' ? randomBytes(32) : Buffer.alloc(0)),
    vector(2, numbers(options.suites)),
    vector(1, compressionOf(options.version)),
    ...(extensions.length > 0 ? [vector(2, ...extensions)] : []),
  ])
  const recordVersion = Math.min(legacyVersion, versions.TLSv1)
  return Buffer.concat([
    Buffer.from([22]),
    numbers([recordVersion]),
    vector(2, Buffer.from([1]), vector(3, body)),
  ])
}

/** @param octets all octets of the server since the hello */
export function readAnswer(octets: Buffer): Answer {
  try {
    return readMessages(octets)
  } catch {
    return { kind: 'Refused' }
  }
}

const serverHello = 2
const serverKeyExchange = 12
const serverHelloDone = 14

function readMessages(octets: Buffer): Answer {
  const handshake: Buffer[] = []
  let hasAlert = false
  for (let at = 0; at + 5 <= octets.length && !hasAlert; at += 5 + octets.readUInt16BE(at + 3)) {
    hasAlert = octets[at] === 21
    if (octets[at] !== 22 && !hasAlert && handshake.length === 0) return { kind: 'Refused' }
    if (octets[at] === 22) handshake.push(octets.subarray(at + 5, at + 5 + octets.readUInt16BE(at + 3)))
  }
  const message = messagesOf(Buffer.concat(handshake))
  const hello = message.get(serverHello)
  if (!hello) return { kind: hasAlert ? 'Refused' : 'Incomplete' }
  const selection = readServerHello(hello)
  if (selection.version === versions['TLSv1.3']) return selection
  if (hasAlert) return { kind: 'Refused' }
  if (!message.has(serverHelloDone)) return { kind: 'Incomplete' }
  const keyExchange = message.get(serverKeyExchange)
  return keyExchange ? { ...selection, ...readKeyExchange(keyExchange, selection) } : selection
}

/** Returns the complete messages by their types. */
function messagesOf(octets: Buffer): Map<number, Buffer> {
  const messages = new Map<number, Buffer>()
  for (let at = 0; at + 4 <= octets.length; ) {
    const end = at + 4 + octets.readUIntBE(at + 1, 3)
    if (end > octets.length) break
    messages.set(octets.readUInt8(at), octets.subarray(at + 4, end))
    at = end
  }
  return messages
}

function readServerHello(body: Buffer): Selection {
  const at = 34 + 1 + body.readUInt8(34)
  const extensions = new Map<number, Buffer>()
  for (let next = at + 5; next + 4 <= body.length; ) {
    const end = next + 4 + body.readUInt16BE(next + 2)
    extensions.set(body.readUInt16BE(next), body.subarray(next + 4, end))
    next = end
  }
  return {
    kind: 'Selected',
    version: extensions.get(43)?.readUInt16BE(0) ?? body.readUInt16BE(0),
    suite: body.readUInt16BE(at),
    compression: body.readUInt8(at + 2),
    extensions: [...extensions.keys()],
    group: extensions.get(51)?.readUInt16BE(0) ?? null,
    dhBits: null,
    signature: null,
  }
}

/** RFC 5246 §7.4.3; key exchanges other than ECDHE and DHE are not read. */
function readKeyExchange(body: Buffer, { version, suite }: Selection): Partial<Selection> {
  const name = suiteName(suite)
  const signatureAt = (at: number) =>
    version === versions['TLSv1.2'] && at + 2 <= body.length ? body.readUInt16BE(at) : null
  if (name.startsWith('TLS_ECDHE_'))
    return { group: body.readUInt16BE(1), signature: signatureAt(4 + body.readUInt8(3)) }
  if (!name.startsWith('TLS_DHE_')) return {}
  const primeOctets = body.readUInt16BE(0)
  const generatorAt = 2 + primeOctets
  const publicAt = generatorAt + 2 + body.readUInt16BE(generatorAt)
  return {
    dhBits: 8 * primeOctets,
    signature: signatureAt(publicAt + 2 + body.readUInt16BE(publicAt)),
  }
}
