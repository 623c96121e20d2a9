/** Reads which CAs a set of CAA records permits to issue certificates for a host (RFC 8659 §4). Pure. */

import { normaliseDomain } from '../../mail/domain.ts'
import type { CaaRecord } from '../../net/dns/answer.ts'

export interface CaaPolicy {
  /** The CAA names of the CAs that may issue; null when any CA may. */
  permitted: readonly string[] | null
  /** A property that CAs need not know and must not ignore: no CA that does not know it may issue. */
  unknownCritical: string | null
}

const criticalBit = 0x80
/** The tags of RFC 8659, and those registered later. */
const knownTags = ['issue', 'issuewild', 'iodef', 'contactemail', 'contactphone', 'issuemail', 'issuevmc']

const parameter = /^[a-z0-9-]+[ \t]*=[ \t]*[!-:<-~]*$/i

/** Hosts have no wildcard certificates, so `issuewild` does not count. */
export function readCaaPolicy(records: readonly CaaRecord[]): CaaPolicy {
  const unknown = records.find(({ flags, tag }) => (flags & criticalBit) !== 0 && !knownTags.includes(tag))
  const issue = records.filter(({ tag }) => tag === 'issue')
  return {
    permitted: issue.length === 0 ? null : [...new Set(issue.flatMap(issuerName))],
    unknownCritical: unknown?.tag ?? null,
  }
}

/** The name is before the first semicolon. A value without a name permits no CA, and so does a malformed value. */
function issuerName({ value }: CaaRecord): string[] {
  const [text = '', ...parameters] = value.split(';').map((part) => part.trim())
  const name = normaliseDomain(text)
  const isWellFormed = parameters.every((part) => part === '' || parameter.test(part))
  return name === null || !isWellFormed ? [] : [name]
}

/** In the format of a zone file. */
export const caaText = ({ flags, tag, value }: CaaRecord): string =>
  `${flags} ${tag} "${value.replaceAll(/["\\]/g, '\\$&')}"`
