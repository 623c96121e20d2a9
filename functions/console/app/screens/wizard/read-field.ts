/** Reads what a control holds as the API's value, and writes a value for a control. Pure. */
import { countText } from '../../../../../shared/policy/text-lists.ts'
import {
  type Checked,
  checkCertificateName,
  checkDomain,
  checkFingerprint,
  checkName,
  checkPattern,
  checkRange,
  checkTenant,
  parseHost,
} from './field-checks.ts'
import type { Field, FieldKind } from './fields.ts'

export interface ReadField {
  /** The value that is sent; entries with faults are sent as they were typed. */
  value: unknown
  faults: readonly string[]
  /** Entries that are listed more than once, and sent once. */
  repeated: number
}

export interface TenantText {
  tenantIds: string
  originatorOrganizations: string
}

const checks: Readonly<Partial<Record<FieldKind, (text: string) => Checked>>> = {
  Patterns: checkPattern,
  CertificateNames: checkCertificateName,
  Domains: checkDomain,
  Ranges: checkRange,
  Fingerprints: checkFingerprint,
}

const maxEntries = 1000
/** More than the longest list of the API has. A longer text is not read, so that the page stays usable. */
const maxTextLength = 1_000_000
/** More than an entry of any list has. Faults quote entries. */
const maxEntryLength = 300
const maxHosts = 100
const maxCommentLength = 1024

export function readField({ kind }: Pick<Field, 'kind'>, held: unknown): ReadField {
  const check = checks[kind]
  if (check !== undefined) return readList(String(held ?? ''), check)
  const text = typeof held === 'string' ? held.trim() : ''
  switch (kind) {
    case 'Name':
      return single(text, checkName(text))
    case 'Text':
      return single(
        String(held ?? ''),
        String(held ?? '').length > maxCommentLength ? `At most ${maxCommentLength} characters.` : null,
      )
    case 'TextOrNull':
      return single(text === '' ? null : text)
    case 'CertificateNameOrNull': {
      if (text === '') return single(null)
      const checked = checkCertificateName(text)
      return 'value' in checked ? single(checked.value) : single(text, checked.fault)
    }
    case 'Number':
    case 'NumberOrNull':
      return readNumber(text, kind === 'NumberOrNull')
    case 'Certificates':
      return readCertificates(text)
    case 'Hosts':
      return readHosts(text)
    case 'Tenant':
      return readTenant(held as TenantText | null)
    default:
      return single(held)
  }
}

const single = (value: unknown, fault: string | null = null): ReadField => ({
  value,
  faults: fault === null ? [] : [fault],
  repeated: 0,
})

/** Entries stand on lines, or between commas, semicolons or spaces. */
export const entriesOf = (text: string): string[] => text.split(/[\s,;]+/).filter(Boolean)

const tooLong = (text: string): ReadField => ({
  value: [],
  faults: [`The text is too long: at most ${maxTextLength} characters; there are ${text.length}.`],
  repeated: 0,
})

const entryTooLong = (entry: string): string => `"${entry.slice(0, 50)}…" is longer than any entry`

function readList(text: string, check: (text: string) => Checked): ReadField {
  if (text.length > maxTextLength) return tooLong(text)
  const entries = entriesOf(text)
  const values = new Set<string>()
  const faults: string[] = []
  for (const entry of entries) {
    const checked = entry.length > maxEntryLength ? { fault: entryTooLong(entry) } : check(entry)
    if ('fault' in checked) faults.push(checked.fault)
    values.add('value' in checked ? checked.value : entry)
  }
  if (values.size > maxEntries) faults.push(`At most ${maxEntries} entries; there are ${values.size}.`)
  return { value: [...values], faults, repeated: entries.length - values.size }
}

function readNumber(text: string, isOptional: boolean): ReadField {
  if (text === '' && isOptional) return single(null)
  return /^\d{1,9}$/.test(text) ? single(Number(text)) : single(text, 'Must be a whole number.')
}

const begin = '-----BEGIN CERTIFICATE-----'
const block = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

function readCertificates(text: string): ReadField {
  const blocks = text.match(block) ?? []
  const isWhole = text.replace(block, '').trim() === ''
  const unique = [...new Set(blocks.map((pem) => `${pem}\n`))]
  return {
    value: isWhole ? unique : [...unique, text.replace(block, '').trim()],
    faults: isWhole ? [] : [`Each certificate begins with ${begin}; other text is not permitted.`],
    repeated: blocks.length - unique.length,
  }
}

function readHosts(text: string): ReadField {
  if (text.length > maxTextLength) return tooLong(text)
  const entries = entriesOf(text)
  const hosts = new Map<string, unknown>()
  const faults: string[] = []
  for (const entry of entries) {
    const isTooLong = entry.length > maxEntryLength
    const host = isTooLong ? null : parseHost(entry)
    if (isTooLong) faults.push(entryTooLong(entry))
    else if (host === null)
      faults.push(`"${entry}" is not a host name or an IP address, with or without a port`)
    hosts.set(host === null ? entry : `${host.host} ${host.port}`, host ?? { host: entry, port: 25 })
  }
  if (hosts.size > maxHosts) faults.push(`At most ${maxHosts} smart hosts; there are ${hosts.size}.`)
  return { value: [...hosts.values()], faults, repeated: entries.length - hosts.size }
}

function readTenant(held: TenantText | null): ReadField {
  const ids = readList(held?.tenantIds ?? '', checkTenant)
  const organizations = readList(held?.originatorOrganizations ?? '', checkDomain)
  const [tenantIds, originatorOrganizations] = [ids.value as string[], organizations.value as string[]]
  const faults = [...ids.faults, ...organizations.faults]
  if (tenantIds.length === 0)
    return {
      value: null,
      faults: originatorOrganizations.length > 0 ? ['An organization needs a tenant id beside it.'] : faults,
      repeated: 0,
    }
  return {
    value: { tenantIds, originatorOrganizations },
    faults,
    repeated: ids.repeated + organizations.repeated,
  }
}

/** What a control holds for a value of the API. */
export function heldOf({ kind }: Pick<Field, 'kind'>, value: unknown): unknown {
  if (kind === 'Value') return value
  if (kind === 'Tenant') {
    const tenant = value as { tenantIds: string[]; originatorOrganizations: string[] } | null
    return {
      tenantIds: tenant?.tenantIds.join('\n') ?? '',
      originatorOrganizations: tenant?.originatorOrganizations.join('\n') ?? '',
    } satisfies TenantText
  }
  if (kind === 'Hosts') return (value as { host: string; port: number }[]).map(hostText).join('\n')
  if (kind === 'Certificates') return (value as string[]).map((pem) => pem.trim()).join('\n')
  if (Array.isArray(value)) return value.join('\n')
  return value === null || value === undefined ? '' : String(value)
}

function hostText({ host, port }: { host: string; port: number }): string {
  if (port === 25) return host
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** How many entries a list has, for its description. */
export function countOf({ value, repeated }: ReadField, singular: string, plural = `${singular}s`): string {
  const count = countText((value as unknown[]).length, singular, plural)
  return repeated === 0
    ? count
    : `${count}; ${countText(repeated, 'repeated entry', 'repeated entries')} left out`
}
