/**
 * A set of event ids, each as 128 bits in one table: a `Set` of strings needs five times the memory for the ids of three
 * hours. Pure.
 */
import { createHash } from 'node:crypto'

export const idOctets = 16
const wordsPerId = idOctets / 4

/** An id that is not 128 bits in base64url, such as a ULID, is represented by its SHA-256. */
const base64urlLength = 22

export class IdSet {
  #words: Uint32Array
  /** For each hash, the number of its id from 1; 0: none. */
  #slots: Uint32Array
  #size = 0
  readonly #id = Buffer.alloc(idOctets)

  constructor(capacity = 1024) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, capacity * 2)))
    this.#slots = new Uint32Array(slots)
    this.#words = new Uint32Array((slots / 2) * wordsPerId)
  }

  /** Reads what `toBuffer` returned. */
  static from(octets: Buffer): IdSet {
    const set = new IdSet(octets.length / idOctets)
    set.addAll(octets)
    return set
  }

  get size(): number {
    return this.#size
  }

  /** @returns false if the set had the id */
  add(id: string): boolean {
    this.#read(id)
    return this.#add()
  }

  has(id: string): boolean {
    this.#read(id)
    return this.#slots[this.#find()] !== 0
  }

  addAll(octets: Buffer): void {
    for (let start = 0; start < octets.length; start += idOctets) {
      octets.copy(this.#id, 0, start, start + idOctets)
      this.#add()
    }
  }

  /** Returns the ids in the order in which they were added. */
  toBuffer(): Buffer {
    const octets = Buffer.alloc(this.#size * idOctets)
    for (let index = 0; index < this.#size * wordsPerId; index++)
      octets.writeUInt32LE(this.#words[index] as number, index * 4)
    return octets
  }

  #read(id: string): void {
    if (id.length === base64urlLength && this.#id.write(id, 'base64url') === idOctets) return
    createHash('sha256').update(id).digest().copy(this.#id, 0, 0, idOctets)
  }

  #add(): boolean {
    if (this.#size * 2 >= this.#slots.length) this.#grow()
    const slot = this.#find()
    if (this.#slots[slot] !== 0) return false
    for (let word = 0; word < wordsPerId; word++)
      this.#words[this.#size * wordsPerId + word] = this.#id.readUInt32LE(word * 4)
    this.#size += 1
    this.#slots[slot] = this.#size
    return true
  }

  /** Returns the slot of the id, or the free slot for it. */
  #find(): number {
    const mask = this.#slots.length - 1
    let slot = this.#id.readUInt32LE(0) & mask
    for (;;) {
      const number = this.#slots[slot] as number
      if (number === 0 || this.#isAt((number - 1) * wordsPerId)) return slot
      slot = (slot + 1) & mask
    }
  }

  #isAt(start: number): boolean {
    for (let word = 0; word < wordsPerId; word++)
      if (this.#words[start + word] !== this.#id.readUInt32LE(word * 4)) return false
    return true
  }

  #grow(): void {
    const octets = this.toBuffer()
    const current = Buffer.from(this.#id)
    this.#slots = new Uint32Array(this.#slots.length * 2)
    this.#words = new Uint32Array((this.#slots.length / 2) * wordsPerId)
    this.#size = 0
    this.addAll(octets)
    current.copy(this.#id)
  }
}
