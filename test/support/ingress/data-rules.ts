/** A slow second implementation of the rules for a message, in one piece: after DATA, or by BDAT. */
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

/**
 * Applies the rules to the content of all BDAT commands: they are those of the same content after DATA, where the
 * client doubles dots and ends the last line.
 * @param octets a text with one character per octet
 */
export function readChunksByTheRules(options: DataReaderOptions, octets: string): Reading {
  const stuffed = doubleDots(octets)
  const hasBareReturn = options.bareNewlines === 'Normalise' && octets.endsWith('\r')
  const isEnded = octets === '' || octets.endsWith('\r\n')
  const reading = readByTheRules(options, `${stuffed}${isEnded ? '' : hasBareReturn ? '\n' : '\r\n'}.\r\n`)
  return { ...reading, end: octets.length }
}

/** The fault of the chunks so far; a CR at their end may be the start of a line end. */
export const chunkFaultByTheRules = (options: DataReaderOptions, octets: string): DataFault | null =>
  faultByTheRules(options, doubleDots(octets))

const doubleDots = (octets: string): string => `\r\n${octets}`.replaceAll('\r\n.', '\r\n..').slice(2)

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
