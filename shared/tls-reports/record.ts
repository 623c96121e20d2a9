/**
 * Where a domain wants its reports: the TXT record at `_smtp._tls` (RFC 8460 §3). The attack: a record that makes us
 * send to thousands of places, or to words that are no address. The defence: a few places are read, each of which must
 * be a plain mailbox or an https URL of a host name with the usual port. Its limit: a domain may name mailboxes of
 * others, as the RFC has it (§7): five messages a day at most for each domain that is written to. Pure.
 */
import { domainOf } from '../mail/address.ts'
import { normaliseDomain } from '../mail/domain.ts'

export type ReportPlace = { kind: 'Mail'; address: string } | { kind: 'Https'; url: string }

const mostPlaces = 5
const longestPlace = 1000

export const recordName = (domain: string): string => `_smtp._tls.${domain}`

/**
 * @param records the TXT records, the strings of each joined
 * @returns empty where there is no record, more than one, or none of its places can be used
 */
export function reportPlaces(records: readonly string[]): ReportPlace[] {
  const ours = records.filter((record) => /^v=TLSRPTv1[ \t]*;/.test(record))
  const [record] = ours
  if (record === undefined || ours.length > 1) return []
  const fields = record
    .split(';')
    .map((field) => /^[ \t]*rua=(.*)$/s.exec(field)?.[1])
    .filter((value) => value !== undefined)
  const [value] = fields
  if (value === undefined || fields.length > 1) return []
  const places = value
    .slice(0, longestPlace * mostPlaces)
    .split(',')
    .slice(0, mostPlaces * 2)
  const read = places.map((uri) => placeOf(uri.trim())).filter((place) => place !== null)
  const distinct = new Map(read.map((place) => [placeText(place), place]))
  return [...distinct.values()].slice(0, mostPlaces)
}

/** As it stands in a log, and what tells one place from another. */
export const placeText = (place: ReportPlace): string =>
  place.kind === 'Mail' ? `mailto:${place.address}` : place.url

function placeOf(uri: string): ReportPlace | null {
  if (uri.length > longestPlace) return null
  return /^mailto:/i.test(uri) ? mailbox(uri.slice('mailto:'.length)) : httpsUrl(uri)
}

/** RFC 5322 §3.2.3: a dot-atom; what would have to be quoted in an envelope is no place for reports. */
const localPart = /^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*$/

/** Of `mailto:` the address alone counts: header fields in it (RFC 6068 §2) would be the reader's to write. */
function mailbox(rest: string): ReportPlace | null {
  const text = decoded(rest.replace(/\?.*$/s, ''))
  const at = text?.lastIndexOf('@') ?? -1
  if (text === null || at < 0) return null
  const domain = domainOf(text)
  const local = text.slice(0, at)
  if (domain === null || local.length > 64 || !localPart.test(local)) return null
  return { kind: 'Mail', address: `${local}@${domain}` }
}

function httpsUrl(uri: string): ReportPlace | null {
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
