/** The accepted domains' MTA-STS policy file (RFC 8461 §3.2), and the id in their TXT records (§3.1). */
import { createHash } from 'node:crypto'

export interface PublishedPolicy {
  mode: 'enforce' | 'testing' | 'none'
  /** Names in MX records, in comparable form (shared/mail/domain.ts); at least one, except in mode `none`. */
  mxHosts: readonly string[]
  /** Senders cache the policy for this time. */
  maxAgeSeconds: number
}

/** In hexadecimal digits; RFC 8461 §3.1 permits 32 characters. */
const idLength = 20

/** @returns `id`: a digest of the text, so it changes exactly when the policy changes */
export function formatPolicy({ mode, mxHosts, maxAgeSeconds }: PublishedPolicy): {
  text: string
  id: string
} {
  const mx = [...new Set(mxHosts)].sort().map((host) => `mx: ${host}`)
  const lines = ['version: STSv1', `mode: ${mode}`, ...mx, `max_age: ${maxAgeSeconds}`]
  const text = lines.map((line) => `${line}\r\n`).join('')
  return { text, id: createHash('sha256').update(text).digest('hex').slice(0, idLength) }
}

/** @returns the text of the TXT record at `_mta-sts.DOMAIN` */
export const formatPolicyRecord = ({ id }: { id: string }): string => `v=STSv1; id=${id};`
