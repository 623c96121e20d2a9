/** What an item of the messages table has of an address: in its key, in its attributes, and in packed attributes. Pure. */
import type { ErasedAddress } from '../../shared/mail/erased-address.ts'
import { isRecipientKey, recipientOf } from '../../shared/messages/message-keys.ts'
import { packDetail, unpackDetail } from '../../shared/messages/packed-detail.ts'
import type { Item } from './messages-table.ts'

const attemptPrefix = 'attempt#'

/** The address in the key of an item: `recipient#ADDRESS`, `attempt#ADDRESS#NUMBER`, `dsn#KIND#ADDRESS`; otherwise null. */
export function addressInKey(sk: string): string | null {
  if (isRecipientKey(sk)) return recipientOf({ sk })
  if (sk.startsWith(attemptPrefix)) return sk.slice(attemptPrefix.length, sk.lastIndexOf('#'))
  return /^dsn#[^#]+#(.*)$/s.exec(sk)?.[1] ?? null
}

/** Whether the item belongs to the address. */
export const isKeyOf = ({ sk }: Pick<Item, 'sk'>, address: ErasedAddress): boolean =>
  address.isSpelled(addressInKey(sk) ?? '')

/** @returns the attributes that have the address, with the pseudonym in its place */
export function replacedAttributes(
  { pk: _, sk: _sk, ...attributes }: Item,
  address: ErasedAddress,
): Record<string, unknown> {
  const replaced = Object.entries(attributes).flatMap(([name, value]) => {
    const after = replaceAttribute(name, value, address)
    return after === value ? [] : [[name, after] as const]
  })
  return Object.fromEntries(replaced)
}

function replaceAttribute(name: string, value: unknown, address: ErasedAddress): unknown {
  if (!(value instanceof Uint8Array)) return address.replaceInValue({ [name]: value })[name]
  const detail = unpackOrNull(value)
  const after = address.replaceInValue(detail)
  return after === detail ? value : packDetail(after as object)
}

/** Other binary attributes have no texts. */
function unpackOrNull(octets: Uint8Array): unknown {
  try {
    return unpackDetail(octets)
  } catch {
    return null
  }
}
