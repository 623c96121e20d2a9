/**
 * Counts how often a message has passed this gateway, by the `Received` fields that the gateway added. A client that
 * forges such fields harms only its own message.
 */
import { fieldName, headerFields } from './header-fields.ts'

/**
 * @param header the header section of a message
 * @param hostname the name of this gateway, as its `Received` field has it
 */
export function countPasses(header: Buffer, hostname: string): number {
  const text = header.toString('latin1')
  if (!text.toLowerCase().includes(hostname.toLowerCase())) return 0
  // RFC 5321 §4.4: the clause BY. A server that folds the field again may change the white space.
  const byClause = new RegExp(`\\sby\\s+${hostname.replaceAll('.', '\\.')}(?![^\\s;()])`, 'i')
  return headerFields(text).filter((field) => fieldName(field) === 'received' && byClause.test(field)).length
}
