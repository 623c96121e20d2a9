/** The faults that the API finds in a draft, at the fields that they name. Pure. */
import type { Body, Faults } from './draft.ts'

interface ApiFault {
  path: string
  message: string
}

const pathPattern = /^(?:(?:in|out)boundConnectors\[0\]\.?)?([A-Za-z]+)(.*)$/

/**
 * @param body that was sent, for the entry of a list that a path names by its number
 * @returns the messages of each field; those without a field are under an empty name
 */
export function faultsByField(faults: readonly ApiFault[], body: Body): Faults {
  const messages: Record<string, string[]> = {}
  for (const { path, message } of faults) {
    const [, name = '', rest = ''] = pathPattern.exec(path) ?? []
    const isKnown = name in body
    const field = isKnown ? name : ''
    const text = isKnown ? `${entryText(body[name], rest)}${message}` : `${path} ${message}`.trim()
    messages[field] = [...(messages[field] ?? []), text]
  }
  return messages
}

/** The entry, unless the message itself quotes it; what is in an entry by its path. */
function entryText(value: unknown, rest: string): string {
  const [, index, inner = ''] = /^\[(\d+)\](.*)$/.exec(rest) ?? []
  if (index === undefined) return rest === '' ? '' : `${rest.replace(/^\./, '')}: `
  const entry = Array.isArray(value) ? value[Number(index)] : undefined
  if (typeof entry === 'string')
    return entry.includes('-----BEGIN') ? `certificate ${Number(index) + 1}: ` : `${entry}: `
  return `entry ${Number(index) + 1}${inner}: `
}
