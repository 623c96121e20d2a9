/**
 * Parses an MTA-STS policy file. mailauth's parser is not used: it ignores lines that are not fields, and adds 1.1 MB
 * to the bundle.
 */
import { normaliseDomain } from '../../mail/domain.ts'
import { replaceInvisible } from '../../mail/peer-text.ts'
import type { MtaStsPolicy } from '../../policy/hop-facts.ts'

/** The id is in the DNS record, not in the file. */
export type PolicyContent = Omit<MtaStsPolicy, 'id'>

export type ParseResult =
  | { kind: 'Policy'; policy: PolicyContent }
  /** `fault`: human-readable text about the wrong line or field. */
  | { kind: 'Invalid'; fault: string }

/** The limit of `max_age` (RFC 8461 §3.2). */
const maxAgeLimitSeconds = 31_557_600

/**
 * Matches a line up to its value. `trim` removes the spaces around the value: a pattern for these spaces would need
 * quadratic time for a line of spaces.
 */
const fieldName = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):/
/** Labels of letters, digits and hyphens (RFC 5321 §4.1.2), with an optional wildcard. */
const hostPattern = /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/i

/**
 * Parses a policy file (RFC 8461 §3.2). Ignores empty lines, and all but the first of a repeated field other than `mx`.
 * @param octets as received
 */
export function parsePolicy(octets: Buffer): ParseResult {
  const text = decodeUtf8(octets)
  if (text === null) return invalid('It is not UTF-8')
  const fields: [string, string][] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    const name = fieldName.exec(line)?.[1]
    if (name === undefined) return invalid(`Line ${index + 1} is not a field: ${quote(line)}`)
    fields.push([name, line.slice(name.length + 1).trim()])
  }
  return policyFromFields(fields)
}

function policyFromFields(fields: readonly (readonly [string, string])[]): ParseResult {
  const firstValue = (requestedName: string) => fields.find(([name]) => name === requestedName)?.[1] ?? null
  const version = firstValue('version')
  if (version !== 'STSv1') return invalid(invalidField('version', version))
  const mode = firstValue('mode')
  if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none') return invalid(invalidField('mode', mode))
  const age = firstValue('max_age')
  const maxAge = age !== null && /^\d{1,10}$/.test(age) ? Number(age) : Number.NaN
  if (!(maxAge <= maxAgeLimitSeconds)) return invalid(invalidField('max_age', age))
  const mx = new Set<string>()
  for (const [name, value] of fields) {
    if (name !== 'mx') continue
    const pattern = normalisePattern(value)
    if (pattern === null) return invalid(invalidField('mx', value))
    mx.add(pattern)
  }
  if (mx.size === 0 && mode !== 'none') return invalid(invalidField('mx', null))
  return { kind: 'Policy', policy: { mode, mx: [...mx], maxAge } }
}

function normalisePattern(pattern: string): string | null {
  if (!hostPattern.test(pattern)) return null
  const wildcard = pattern.startsWith('*.')
  const host = normaliseDomain(wildcard ? pattern.slice(2) : pattern)
  return host === null || !wildcard ? host : `*.${host}`
}

function decodeUtf8(octets: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(octets)
  } catch {
    return null
  }
}

const invalid = (fault: string): ParseResult => ({ kind: 'Invalid', fault })

const invalidField = (name: string, value: string | null): string =>
  value === null ? `It has no ${name}` : `Its ${name} cannot be ${quote(value)}`

const quote = (text: string): string => `"${replaceInvisible(text.slice(0, 60))}"`
