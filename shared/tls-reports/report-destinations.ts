/**
 * Reads the TXT record at `_smtp._tls`, which says where a domain wants its reports (RFC 8460 §3). The attack: a record
 * that makes us send to thousands of destinations, or to invalid addresses. The defence: only a few destinations are
 * read; each is a plain mailbox or an https URL with a host name and the default port. Its limit: a domain may name
 * others' mailboxes, as the RFC allows (§7); each such domain costs them at most five messages a day. Pure.
 */
import { domainOf } from '../mail/address.ts'
import { normaliseDomain } from '../mail/domain.ts'

export type ReportDestination = { kind: 'Mail'; address: string } | { kind: 'Https'; url: string }

const maxDestinations = 5
const maxUriLength = 1000

export const recordName = (domain: string): string => `_smtp._tls.${domain}`

/**
 * @param records the TXT records, each with its strings joined
 * @returns empty if there is not exactly one record, or no usable destination in it
 */
export function reportDestinations(records: readonly string[]): ReportDestination[] {
  const tlsrptRecords = records.filter((record) => /^v=TLSRPTv1[ \t]*;/.test(record))
  const [record] = tlsrptRecords
  if (record === undefined || tlsrptRecords.length > 1) return []
  const fields = record
    .split(';')
    .map((field) => /^[ \t]*rua=(.*)$/s.exec(field)?.[1])
    .filter((value) => value !== undefined)
  const [value] = fields
  if (value === undefined || fields.length > 1) return []
  const uris = value
    .slice(0, maxUriLength * maxDestinations)
    .split(',')
    .slice(0, maxDestinations * 2)
  const destinations = uris
    .map((uri) => parseDestination(uri.trim()))
    .filter((destination) => destination !== null)
  const distinct = new Map(destinations.map((destination) => [destinationText(destination), destination]))
  return [...distinct.values()].slice(0, maxDestinations)
}

/** Text for logs, which also identifies a destination. */
export const destinationText = (destination: ReportDestination): string =>
  destination.kind === 'Mail' ? `mailto:${destination.address}` : destination.url

function parseDestination(uri: string): ReportDestination | null {
  if (uri.length > maxUriLength) return null
  return /^mailto:/i.test(uri) ? mailbox(uri.slice('mailto:'.length)) : httpsUrl(uri)
}

/** RFC 5322 §3.2.3: a dot-atom, which needs no quoting in the envelope. */
const localPart = /^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*$/

/** Ignores header fields in `mailto:` (RFC 6068 §2): the record's owner must not write our header. */
function mailbox(rest: string): ReportDestination | null {
  const text = decoded(rest.replace(/\?.*$/s, ''))
  const at = text?.lastIndexOf('@') ?? -1
  if (text === null || at < 0) return null
  const domain = domainOf(text)
  const local = text.slice(0, at)
  if (domain === null || local.length > 64 || !localPart.test(local)) return null
  return { kind: 'Mail', address: `${local}@${domain}` }
}

function httpsUrl(uri: string): ReportDestination | null {
  if (!/^https:\/\//i.test(uri) || !URL.canParse(uri)) return null
  const url = new URL(uri)
  const isName = normaliseDomain(url.hostname) !== null && url.hostname.includes('.')
  if (!isName || url.port !== '' || url.username !== '' || url.password !== '') return null
  url.hash = ''
  return { kind: 'Https', url: url.href }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
