/**
 * The MTA-STS policy of our own domains, as their policy hosts hand it out (RFC 8461 §3.2), and the id that their TXT
 * records give it (§3.1).
 */
import { createHash } from 'node:crypto'

export interface PublishedPolicy {
  mode: 'enforce' | 'testing' | 'none'
  /** Names in MX records, in comparable form (shared/mail/domain.ts); at least one, except in mode `none`. */
  mxHosts: readonly string[]
  /** How long senders keep it. */
  maxAgeSeconds: number
}

/** Digits; the RFC lets an id have 32 characters. */
const idLength = 20

/** @returns `id`: follows from the text, so it changes when the policy does, and only then */
export function publishedPolicy({ mode, mxHosts, maxAgeSeconds }: PublishedPolicy): {
  text: string
  id: string
} {
  const mx = [...new Set(mxHosts)].sort().map((host) => `mx: ${host}`)
  const lines = ['version: STSv1', `mode: ${mode}`, ...mx, `max_age: ${maxAgeSeconds}`]
  const text = lines.map((line) => `${line}\r\n`).join('')
  return { text, id: createHash('sha256').update(text).digest('hex').slice(0, idLength) }
}

/** @returns the strings of the TXT record at `_mta-sts.DOMAIN` */
export const policyRecord = ({ id }: { id: string }): string => `v=STSv1; id=${id};`
