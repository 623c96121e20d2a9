/**
 * The body hashes of DKIM and ARC (RFC 6376 §3.4). The package's own hashes copy the rest of a line with each piece, so
 * that their time grows with the square of a line's length. The time of these grows with the body's length, whatever it
 * contains, and no piece needs long: a body of empty lines is hashed as it comes.
 */
import { createHash, type Hash } from 'node:crypto'
import type { BodyHasher } from 'mailauth/lib/dkim/dkim-verifier.js'

type Canonicalization = 'simple' | 'relaxed'

/** Largest piece that `update` takes, in octets. */
export const maxPieceOctets = 65_536

/** Canonicalises a body once for all hashes that use the same canonicalization. */
export class BodyHashes {
  readonly #canonical = new Map<Canonicalization, { canonicalize: Canonicalizer; hashes: LimitedHash[] }>()

  get isEmpty(): boolean {
    return this.#canonical.size === 0
  }

  /** @param maxOctets the tag l=, or '' without limit */
  add(canonicalization: Canonicalization, algorithm: string, maxOctets: number | ''): BodyHasher {
    const hashed = new LimitedHash(algorithm, maxOctets === '' ? Infinity : maxOctets, canonicalization)
    const shared = this.#canonical.get(canonicalization)
    if (shared) shared.hashes.push(hashed)
    else
      this.#canonical.set(canonicalization, {
        canonicalize: new Canonicalizer(canonicalization),
        hashes: [hashed],
      })
    return hashed
  }

  update(piece: Buffer): void {
    for (const { canonicalize, hashes } of this.#canonical.values()) {
      const { content, lineEnds } = canonicalize.update(piece)
      for (const each of hashes) each.add(content, lineEnds)
    }
  }

  /** Ends the body, before the digests are read. */
  finish(): void {
    for (const { canonicalize, hashes } of this.#canonical.values()) {
      const last = canonicalize.finish()
      for (const each of hashes) each.add(last, noOctets)
    }
  }
}

const [cr, lf, tab, space] = [0x0d, 0x0a, 0x09, 0x20]
const crlf = Buffer.from('\r\n')
const noOctets = Buffer.alloc(0)

interface CanonicalPiece {
  /** Up to the last octet that is not a line end. */
  content: Buffer
  /** Line ends after it. They count only if more content follows. */
  lineEnds: Buffer
}

class Canonicalizer {
  readonly #isRelaxed: boolean
  /** Reused, because each piece is hashed before the next one. Each octet becomes two at most. */
  readonly #output = Buffer.allocUnsafe(2 * maxPieceOctets + 4)
  #hasSpace = false
  #hasCr = false

  constructor(canonicalization: Canonicalization) {
    this.#isRelaxed = canonicalization === 'relaxed'
  }

  update(piece: Buffer): CanonicalPiece {
    const output = this.#output
    let length = 0
    let contentLength = 0
    for (const octet of piece) {
      // A bare LF ends a line too, as the package reads it.
      if (octet === lf) {
        output[length++] = cr
        output[length++] = lf
        this.#hasCr = false
        this.#hasSpace = false
        continue
      }
      if (this.#hasCr) {
        if (this.#hasSpace) output[length++] = space
        this.#hasSpace = false
        output[length++] = cr
        contentLength = length
        this.#hasCr = false
      }
      if (octet === cr) this.#hasCr = true
      else if (this.#isRelaxed && (octet === space || octet === tab)) this.#hasSpace = true
      else {
        if (this.#hasSpace) output[length++] = space
        this.#hasSpace = false
        output[length++] = octet
        contentLength = length
      }
    }
    return { content: output.subarray(0, contentLength), lineEnds: output.subarray(contentLength, length) }
  }

  /** @returns a CR that no LF followed, which is content */
  finish(): Buffer {
    return Buffer.from(this.#hasCr ? (this.#hasSpace ? ' \r' : '\r') : '')
  }
}

class LimitedHash implements BodyHasher {
  readonly #maxOctets: number
  readonly #isRelaxed: boolean
  #state: HashState
  /** The state before the line ends that may be the body's last. */
  #beforeLineEnds: HashState | null = null

  constructor(algorithm: string, maxOctets: number, canonicalization: Canonicalization) {
    this.#maxOctets = maxOctets
    this.#isRelaxed = canonicalization === 'relaxed'
    this.#state = { hash: createHash(algorithm), hashed: 0, total: 0 }
  }

  get bodyHashedBytes(): number {
    return this.#state.hashed
  }
  get canonicalizedLength(): number {
    return this.#state.total
  }
  get byteLength(): number {
    return this.#state.total
  }

  add(content: Buffer, lineEnds: Buffer): void {
    if (content.length > 0) {
      this.#beforeLineEnds = null
      this.#append(content)
    }
    if (lineEnds.length === 0) return
    this.#beforeLineEnds ??= { ...this.#state, hash: this.#state.hash.copy() }
    this.#append(lineEnds)
  }

  /** RFC 6376 §3.4.3 and §3.4.4: one line end remains; none if relaxed canonicalization leaves nothing else. */
  digest(encoding: 'base64'): string {
    this.#state = this.#beforeLineEnds ?? this.#state
    if (!this.#isRelaxed || this.#state.total > 0) this.#append(crlf)
    return this.#state.hash.digest(encoding)
  }

  #append(octets: Buffer): void {
    const state = this.#state
    const counted = octets.subarray(0, Math.max(0, this.#maxOctets - state.hashed))
    state.hash.update(counted)
    state.hashed += counted.length
    state.total += octets.length
  }

  /** The package calls these; the octets come by `add`. */
  update(): void {}
  setContentType(): void {}
  getMimeStructureStart(): undefined {}
}

interface HashState {
  hash: Hash
  /** Octets within the limit, and all of them. */
  hashed: number
  total: number
}
