/**
 * Parses the ClientHello, before the server chooses a TLS context (RFC 8446 §4.1.2). The attack: a huge hello, or one
 * with false lengths. The defence: at most 16 KiB are read, and every length is checked. Not covered: OpenSSL parses
 * the same octets again and might read them differently, so the result is used only to choose the context.
 */

export type ClientHello =
  /** More octets are needed. */
  | 'Incomplete'
  /** The octets are no ClientHello, or it is too large. */
  | 'Unreadable'
  | {
      /** The client offers TLS 1.3. */
      supportsTls13: boolean
      /** Tickets offered for resumption (RFC 8446 §4.2.11). */
      tickets: Buffer[]
    }

const maxHelloOctets = 16_384
/** Clients use one record. Each record costs a pass over all octets so far. */
const maxHelloRecords = 16

const handshakeRecordType = 22
const clientHelloType = 1
/** Extension types (RFC 8446 §4.2). */
const supportedVersions = 43
const preSharedKey = 41
const tls13 = 0x0304

/** @param octets all octets of the client, from the first record on */
export function readClientHello(octets: Buffer): ClientHello {
  const message = firstMessage(octets)
  if (!Buffer.isBuffer(message)) return message
  try {
    return readBody(new VectorReader(message))
  } catch {
    return 'Unreadable'
  }
}

/** Joins the body of the hello, which may span several records (RFC 8446 §5.1). */
function firstMessage(octets: Buffer): Buffer | 'Incomplete' | 'Unreadable' {
  const fragments: Buffer[] = []
  let at = 0
  while (fragments.length < maxHelloRecords && at <= maxHelloOctets) {
    const header = octets.subarray(at, at + 5)
    if (header.length > 0 && header[0] !== handshakeRecordType) return 'Unreadable'
    if (header.length > 1 && header[1] !== 3) return 'Unreadable'
    if (header.length < 5) return 'Incomplete'
    const end = at + 5 + header.readUInt16BE(3)
    fragments.push(octets.subarray(at + 5, end))
    const message = completeMessage(fragments)
    if (message !== 'Incomplete') return message
    if (end > octets.length) return 'Incomplete'
    at = end
  }
  return 'Unreadable'
}

function completeMessage(fragments: readonly Buffer[]): Buffer | 'Incomplete' | 'Unreadable' {
  const length = fragments.reduce((sum, fragment) => sum + fragment.length, 0)
  if (length < 4) return 'Incomplete'
  const start = Buffer.concat(fragments.slice(0, 4), Math.min(length, 4))
  if (start[0] !== clientHelloType) return 'Unreadable'
  const messageEnd = 4 + start.readUIntBE(1, 3)
  if (messageEnd > maxHelloOctets) return 'Unreadable'
  return length < messageEnd ? 'Incomplete' : Buffer.concat(fragments, length).subarray(4, messageEnd)
}

function readBody(hello: VectorReader): ClientHello {
  // Skips version and random, then session id, cipher suites and compression methods.
  hello.take(2 + 32)
  hello.vector(1)
  hello.vector(2)
  hello.vector(1)
  let supportsTls13 = false
  let tickets: Buffer[] = []
  const extensions = new VectorReader(hello.isAtEnd ? Buffer.alloc(0) : hello.vector(2))
  while (!extensions.isAtEnd) {
    const type = extensions.number(2)
    const content = new VectorReader(extensions.vector(2))
    if (type === supportedVersions) supportsTls13 = readNumbers(content.vector(1)).includes(tls13)
    else if (type === preSharedKey) tickets = readIdentities(content.vector(2))
  }
  return { supportsTls13, tickets }
}

function readNumbers(list: Buffer): number[] {
  const reader = new VectorReader(list)
  const numbers: number[] = []
  while (!reader.isAtEnd) numbers.push(reader.number(2))
  return numbers
}

/** Skips each ticket's age, on which the choice of a context does not depend. */
function readIdentities(list: Buffer): Buffer[] {
  const reader = new VectorReader(list)
  const identities: Buffer[] = []
  while (!reader.isAtEnd) {
    identities.push(reader.vector(2))
    reader.take(4)
  }
  return identities
}

/** @throws RangeError when a length exceeds the octets present */
class VectorReader {
  readonly #octets: Buffer
  #at = 0

  constructor(octets: Buffer) {
    this.#octets = octets
  }

  get isAtEnd(): boolean {
    return this.#at === this.#octets.length
  }

  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#octets.length) throw new RangeError('ClientHello is shorter than its length fields say')
    const octets = this.#octets.subarray(this.#at, end)
    this.#at = end
    return octets
  }

  number(octets: number): number {
    return this.take(octets).readUIntBE(0, octets)
  }

  /** Reads a vector whose length field has this many octets. */
  vector(octets: number): Buffer {
    return this.take(this.number(octets))
  }
}
