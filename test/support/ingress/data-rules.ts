/** A slow second implementation of the rules for the message after DATA, without chunks. */
import type { DataFault, DataReaderOptions } from '../../../functions/smtp-ingress/protocol/data-reader.ts'

export interface Reading {
  content: string
  /** Length of the message with the end of data, in octets; -1 without an end of data. */
  end: number
  fault: DataFault | null
}

/**
 * Applies the rules one after another to the complete message.
 * @param octets a text with one character per octet
 */
export function readByTheRules(options: DataReaderOptions, octets: string): Reading {
  const endIndex = `\r\n${octets}`.indexOf('\r\n.\r\n')
  const end = endIndex < 0 ? -1 : endIndex + 3
  const message = endIndex < 0 ? octets : octets.slice(0, endIndex)
  const plain = `\r\n${message}`.replace(/\r\n\./g, '\r\n').slice(2)
  const content =
    options.bareNewlines === 'Refuse'
      ? plain
      : plain.replace(/\r\n|\r|\n|\0/g, (octet) => (octet === '\0' ? '' : '\r\n'))
  return { content, end, fault: faultByTheRules(options, end < 0 ? octets : octets.slice(0, end)) }
}

/** Checks octet by octet. */
function faultByTheRules(
  { maxLineOctets, bareNewlines }: DataReaderOptions,
  octets: string,
): DataFault | null {
  const refuses = bareNewlines === 'Refuse'
  let behind = '\r\n'
  let line = 0
  for (const octet of octets) {
    const isBareReturn = behind.endsWith('\r') && octet !== '\n'
    const isBareLineFeed = !behind.endsWith('\r') && octet === '\n'
    if (refuses && (octet === '\0' || isBareReturn || isBareLineFeed)) return 'BareNewlines'
    const isDotOfSmtp = behind.endsWith('\r\n') && octet === '.'
    behind += octet
    if (isBareReturn) {
      if (line + 1 > maxLineOctets) return 'LineTooLong'
      line = 0
    }
    if (isDotOfSmtp || octet === '\0') continue
    line += isBareLineFeed ? 2 : 1
    if (line > maxLineOctets) return 'LineTooLong'
    if (octet === '\n') line = 0
  }
  return null
}
