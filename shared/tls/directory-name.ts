/** Compares directory names of certificates (RFC 5280 §7.1). */
import { type Element, readElements, readOnlyElement } from './der.ts'

/** Encodings by the tags of string types: UTF8String, PrintableString, TeletexString, IA5String. */
const encodings = new Map<number, BufferEncoding>([
  [0x0c, 'utf8'],
  [0x13, 'latin1'],
  [0x14, 'latin1'],
  [0x16, 'latin1'],
])

/** BMPString, UTF-16 with the higher octet first. */
const bmpString = 0x1e

/**
 * Whether a name begins with all relative names of the base. Letter case and the number of spaces do not distinguish
 * strings.
 * @param name the DER of a Name
 * @param base the DER of a Name
 * @throws RangeError for an invalid name
 */
export function isInDirectory(name: Buffer, base: Buffer): boolean {
  const relativeNames = comparableRelativeNames(name)
  return comparableRelativeNames(base).every((relativeName, index) => relativeName === relativeNames[index])
}

const comparableRelativeNames = (name: Buffer): string[] =>
  readElements(readOnlyElement(name).content).map(({ content }) =>
    readElements(content).map(comparableAttribute).sort().join(),
  )

function comparableAttribute({ content }: Element): string {
  const [type, value] = readElements(content)
  if (!type || !value) throw new RangeError('the DER is not an attribute')
  return `${type.content.toString('hex')}=${JSON.stringify(comparableValue(value))}`
}

function comparableValue({ tag, content, encoded }: Element): string {
  const encoding = encodings.get(tag)
  if (tag === bmpString && content.length % 2 === 0) return comparableText(utf16Of(content))
  return encoding ? comparableText(content.toString(encoding)) : `#${encoded.toString('hex')}`
}

const utf16Of = (content: Buffer): string => Buffer.from(content).swap16().toString('utf16le')

const comparableText = (text: string): string =>
  text.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')
