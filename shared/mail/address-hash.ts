/**
 * Hashes mail addresses with a key. Without the key, a reader can neither read an address nor test a guess. All
 * spellings that an erasure takes for one mailbox have one hash: letter case, needless quotes, U-labels and A-labels. Pure.
 */
import { createHmac, createSecretKey } from 'node:crypto'
import { domainOf } from './address.ts'
import type { Mailbox } from './mailbox.ts'
import { comparableLocalPart, localPartOf } from './recipient-address.ts'

/** Returns the local part that stands for the mailbox's: `hashed-` and twenty hexadecimal digits, which are 80 bits. */
export type AddressHash = (mailbox: Mailbox) => string

const hashDigits = 20

/** @param key another key gives other hashes */
export function createAddressHash(key: string): AddressHash {
  const secretKey = createSecretKey(key, 'utf8')
  return ({ localPart, domain }) => {
    const digest = createHmac('sha256', secretKey)
      .update(`${foldCase(localPart)}@${domain}`)
      .digest('hex')
    return `hashed-${digest.slice(0, hashDigits)}`
  }
}

/** Reads an address of an envelope as it is, without a check. Without an `@` the domain is empty. */
export function mailboxOf(address: string): Mailbox {
  const at = address.lastIndexOf('@')
  if (at < 0) return { localPart: comparableLocalPart(address), domain: '' }
  return {
    localPart: comparableLocalPart(localPartOf(address)),
    domain: domainOf(address) ?? address.slice(at + 1).toLowerCase(),
  }
}

/** Replaces the local part. The domain stays as it is spelled. */
export function hashedAddress(address: string, hash: AddressHash): string {
  const at = address.lastIndexOf('@')
  return `${hash(mailboxOf(address))}${at < 0 ? '' : address.slice(at)}`
}

/**
 * Returns the same text for texts that a regular expression with the flag `i` takes for equal, as an erasure compares local
 * parts (ECMA-262, Canonicalize).
 */
const foldCase = (text: string): string =>
  /\P{ASCII}/u.test(text) ? text.replace(/./gs, foldUnit) : text.toUpperCase()

function foldUnit(unit: string): string {
  const upper = unit.toUpperCase()
  const becomesAscii = unit.charCodeAt(0) >= 0x80 && upper.charCodeAt(0) < 0x80
  return upper.length === 1 && !becomesAscii ? upper : unit
}
