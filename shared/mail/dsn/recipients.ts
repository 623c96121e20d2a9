/** Recipients in the format of a DSN: RFC 3461 §4.2 and §6.3, RFC 6533 §3. */
import { replaceInvisible } from '../peer-text.ts'
import { escapeCharacters, isAscii, toAsciiLine } from './field-text.ts'

/** Every server accepts `Ascii`; `Utf8` needs SMTPUTF8. */
export type AddressForm = 'Ascii' | 'Utf8'

/** Returns type and address of the recipient in RCPT. */
export function finalRecipient(address: string, form: AddressForm): string {
  if (isAscii(address)) return `rfc822; ${toAsciiLine(address)}`
  return `utf-8; ${utf8Address(address, form)}`
}

/**
 * Returns the recipient that the sender named in ORCPT, without xtext. The type `utf-8` may contain escapes, which are
 * decoded for a field in UTF-8; invalid escapes (RFC 6533) stay unchanged.
 * @param orcpt `type;xtext`
 */
export function originalRecipient(orcpt: string, form: AddressForm): string {
  const separator = orcpt.indexOf(';')
  const type = orcpt.slice(0, separator)
  const decoded = fromXtext(orcpt.slice(separator + 1))
  const isUtf8 = type.toLowerCase() === 'utf-8' && isUnitext(decoded)
  return `${toAsciiLine(type)};${isUtf8 ? utf8Address(fromUnitext(decoded), form) : toAsciiLine(decoded)}`
}

const utf8Address = (address: string, form: AddressForm): string =>
  form === 'Utf8' ? replaceInvisible(address) : utf8AddrXtext(address)

/** utf-8-addr-xtext: printable ASCII without backslash, plus sign and equals sign; the rest is escaped. */
const utf8AddrXtext = (address: string): string => escapeCharacters(address, /[^!-~]|[\\+=]/gu)

/** RFC 3461 §4 */
export const fromXtext = (text: string): string =>
  text.replace(/(?:\+[0-9A-F]{2})+/g, (hexadecimal) =>
    Buffer.from(hexadecimal.replaceAll('+', ''), 'hex').toString(),
  )

const escapedCharacter = /\\x\{(10[0-9A-F]{4}|[0-9A-F]{2,5})\}/gi

/** Whether the text is an address in which every character that a utf-8-addr-unitext excludes is escaped. */
const isUnitext = (text: string): boolean => {
  const rest = text.replace(escapedCharacter, '')
  return /^[!-*,-<>-[\]-~\u0080-\u{10ffff}]*$/u.test(rest) && fromUnitext(text).includes('@')
}

const fromUnitext = (text: string): string =>
  text
    .replace(escapedCharacter, (_, hexadecimal: string) =>
      String.fromCodePoint(Number.parseInt(hexadecimal, 16)),
    )
    .toWellFormed()
