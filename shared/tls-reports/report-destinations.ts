/**
 * Reads the TXT record at `_smtp._tls`, which lists the destinations for reports to a domain (RFC 8460 §3). The attack:
 * a record that makes mailflow send to thousands of destinations, or to invalid addresses. The defence: only a few
 * destinations are read; each is a plain mailbox or an https URL with a host name and the default port. Not covered: a
 * domain may name the mailboxes of another domain, as the RFC allows (§7). Each such domain causes at most five
 * messages per day to these mailboxes. Pure.
 */
import { domainOf } from '../mail/address.ts'
import { normaliseDomain } from '../mail/domain.ts'

export type ReportDestination = { kind: 'Mail'; address: string } | { kind: 'Https'; url: string }

const maxDestinations = 5
const maxUriLength = 1000

export const tlsReportRecordName = (domain: string): string => `_smtp._tls.${domain}`

/**
 * @param records the TXT records, each with its strings joined
 * @returns an empty list unless exactly one of the records is for reports, and names a usable destination
 */
export function parseReportDestinations(records: readonly string[]): ReportDestination[] {
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

/** A text that identifies a destination, for logs and keys. */
export const destinationText = (destination: ReportDestination): string =>
  destination.kind === 'Mail' ? `mailto:${destination.address}` : destination.url

function parseDestination(uri: string): ReportDestination | null {
  if (uri.length > maxUriLength) return null
  return /^mailto:/i.test(uri) ? mailbox(uri.slice('mailto:'.length)) : httpsUrl(uri)
}

/** A dot-atom (RFC 5322 §3.2.3), which needs no quoting in the envelope. */
const localPart = /^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*$/

/** Ignores header fields in `mailto:` (RFC 6068 §2): the record's owner must not control the header of the report. */
function mailbox(rest: string): ReportDestination | null {
  const text = decodeOrNull(rest.replace(/\?.*$/s, ''))
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

function decodeOrNull(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
