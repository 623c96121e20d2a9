/**
 * Parses the assignments of `connectors set`: `field=value`, and for lists also `field+=value` and `field-=value`. The
 * schema of the field decides how the text is read.
 */
import { readFile } from 'node:fs/promises'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { CommandError, UsageError } from '../command-error.ts'
import type { EntryKind, Fields } from './entry-kinds.ts'

export interface Assignment {
  readonly field: string
  readonly operator: '=' | '+=' | '-='
  readonly text: string
}

/** @throws UsageError for a text without an operator */
export function parseAssignment(argument: string): Assignment {
  const [, field, operator, text] = /^([A-Za-z]+)(\+=|-=|=)(.*)$/s.exec(argument) ?? []
  if (field !== undefined && operator !== undefined && text !== undefined)
    return { field, operator: operator as Assignment['operator'], text }
  throw new UsageError(`"${argument}" is not FIELD=VALUE, FIELD+=VALUE or FIELD-=VALUE`)
}

/**
 * Replaces a value `@FILE` by the text of the file, such as a certificate.
 * @throws CommandError when the file cannot be read
 */
export async function readValueFile(assignment: Assignment): Promise<Assignment> {
  if (!assignment.text.startsWith('@')) return assignment
  try {
    return { ...assignment, text: await readFile(assignment.text.slice(1), 'utf8') }
  } catch (error) {
    throw new CommandError(`cannot read ${assignment.text.slice(1)}: ${errorMessage(error)}`)
  }
}

/** @throws UsageError for an unknown field, and for += and -= of a field that is no list */
export function assign(kind: EntryKind, fields: Fields, assignment: Assignment): Fields {
  const { operator, text } = assignment
  // Exchange writes RequireTls.
  const field = Object.keys(kind.input.shape).find(
    (name) => name.toLowerCase() === assignment.field.toLowerCase(),
  )
  const schema = field === undefined ? undefined : kind.input.shape[field]
  if (field === undefined || schema === undefined)
    throw new UsageError(
      `"${assignment.field}" is not a field of an ${kind.singular}; the fields are ${Object.keys(kind.input.shape).join(', ')}`,
    )
  const current = fields[field]
  if (!Array.isArray(current)) {
    if (operator !== '=') throw new UsageError(`${field}${operator}: ${field} is not a list`)
    return { ...fields, [field]: toValue(text, (value) => schema.safeParse(value).success) }
  }
  const items = toItems(field, text)
  if (operator === '=') return { ...fields, [field]: items }
  // The schema brings both sides to the same form, such as a fingerprint without colons.
  const comparable = (item: unknown): string => {
    const parsed = schema.safeParse([item])
    return JSON.stringify(parsed.success ? (parsed.data as unknown[])[0] : item)
  }
  const named = new Set(items.map(comparable))
  const others = current.filter((item) => !named.has(comparable(item)))
  if (operator === '+=') return { ...fields, [field]: [...others, ...items] }
  if (others.length === current.length)
    throw new UsageError(`${field}-=${text}: ${field} of "${String(fields.name)}" does not have this value`)
  return { ...fields, [field]: others }
}

/** JSON where the field accepts it (`null`, `true`, `25`), otherwise the text itself. */
function toValue(text: string, isAccepted: (value: unknown) => boolean): unknown {
  const json = parseJson(text)
  return json !== undefined && isAccepted(json) ? json : text
}

/** A JSON list, certificates in PEM, or texts with commas between them. A smart host is `HOST` or `HOST:PORT`. */
function toItems(field: string, text: string): unknown[] {
  const json = parseJson(text)
  if (json === null) return []
  if (Array.isArray(json)) return json
  const certificates = text.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs)
  if (certificates !== null) return certificates.map((pem) => `${pem}\n`)
  const texts = text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
  return field === 'smartHosts' ? texts.map(toSmartHost) : texts
}

function toSmartHost(text: string): { host: string; port?: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? []
  // An IPv6 address without brackets does not match.
  const host = bracketed ?? plain ?? text
  return port === undefined ? { host } : { host, port: Number(port) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
