/** Reads a DMARC record (RFC 9989 §4.7). Pure. */
import { parseTagList } from './tag-list.ts'

const policies = ['none', 'quarantine', 'reject'] as const
export type DmarcPolicy = (typeof policies)[number]

export interface DmarcRecord {
  /** Null when the record has none, or an unknown one. */
  p: DmarcPolicy | null
  /** For subdomains. */
  sp: DmarcPolicy | null
  /** For subdomains that do not exist. */
  np: DmarcPolicy | null
  /** URIs for aggregate reports, without those that are malformed. */
  rua: readonly string[]
  /** `y`: a public suffix; `n`: an organisational domain. */
  psd: string | null
  isTest: boolean
  /** Sentences about the syntax. */
  faults: readonly string[]
}

/** The version is the first tag, and its value is case-sensitive. */
export const isDmarc = (text: string): boolean => /^[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)/.test(text)

const reportUri = /^[a-z][a-z0-9+.-]*:[^\s,!]+(?:![0-9]+[kmgt]?)?$/i
const isReportUri = (uri: string): boolean =>
  reportUri.test(uri) && (!/^mailto:/i.test(uri) || /^mailto:[^@]+@[^@]+$/i.test(uri))

/** @param text for which `isDmarc` is true */
export function readDmarcRecord(text: string): DmarcRecord {
  const tags = parseTagList(text)
  const policyOf = (tag: string) => {
    const value = tags?.get(tag)?.toLowerCase()
    return policies.find((policy) => policy === value) ?? null
  }
  const uris = (tags?.get('rua') ?? '').split(',').map((uri) => uri.trim())
  const rua = uris.filter(isReportUri)
  const wrongPolicies = ['p', 'sp', 'np'].filter((tag) => tags?.has(tag) && policyOf(tag) === null)
  return {
    p: policyOf('p'),
    sp: policyOf('sp'),
    np: policyOf('np'),
    rua,
    psd: tags?.get('psd')?.toLowerCase() ?? null,
    isTest: tags?.get('t')?.toLowerCase() === 'y',
    faults: [
      ...(tags === null ? ['A part of the record is not of the form tag=value, or a tag is repeated.'] : []),
      ...wrongPolicies.map((tag) => `${tag}=${tags?.get(tag)} is not none, quarantine or reject.`),
      ...(tags?.has('p') === false ? ['The record has no p, so many receivers ignore it.'] : []),
      ...(tags?.has('rua') && rua.length < uris.length
        ? ['rua has an address that is not a URI: use mailto:ADDRESS.']
        : []),
    ],
  }
}
