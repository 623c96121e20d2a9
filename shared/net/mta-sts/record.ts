/** The TXT record that announces a domain's MTA-STS policy and its id. */

const recordPrefix = /^v=STSv1[ \t]*;/
const identifier = /^[A-Za-z0-9]{1,32}$/
const extensionName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/
const extensionValue = /^[\x21-\x3a\x3c\x3e-\x7e]+$/

/**
 * Reads the policy's id (RFC 8461 §3.1). Ignores other records.
 * @param records of `_mta-sts.DOMAIN`, each with its strings joined
 * @returns the policy's id; null unless exactly one record exists and it is well-formed
 */
export function parseRecordId(records: readonly string[]): string | null {
  const [text, ...furtherRecords] = records.filter((each) => recordPrefix.test(each))
  return text === undefined || furtherRecords.length > 0 ? null : parseId(text)
}

function parseId(text: string): string | null {
  const fields = text
    .split(';')
    .slice(1)
    .map((field) => field.trim())
  if (fields.at(-1) === '') fields.pop()
  const pairs = fields.map(parsePair)
  if (!pairs.every(isWellFormed)) return null
  return pairs.find(({ name }) => name === 'id')?.value ?? null
}

interface Pair {
  name: string
  value: string
}

/** A field without `=` has no name. */
function parsePair(field: string): Pair {
  const at = Math.max(field.indexOf('='), 0)
  return { name: field.slice(0, at), value: field.slice(at + 1) }
}

function isWellFormed({ name, value }: Pair): boolean {
  if (name === 'id') return identifier.test(value)
  return extensionName.test(name) && extensionValue.test(value)
}
