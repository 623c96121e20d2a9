/** The forms that an address has in events: plain, and hashed if the deployment hashes them. Pure. */
import type { AddressHash } from '../../shared/mail/address-hash.ts'
import { type AddressEraser, ErasedAddress, eraserOf } from '../../shared/mail/erased-address.ts'
import type { Mailbox } from '../../shared/mail/mailbox.ts'

/**
 * @param address the plain form; events from before the setting have it
 * @param hash null: addresses in events are plain
 */
export function eraserInEvents(
  address: ErasedAddress,
  mailbox: Mailbox,
  hash: AddressHash | null,
): AddressEraser {
  if (hash === null) return address
  const hashed = { localPart: hash(mailbox), domain: mailbox.domain }
  return eraserOf([address, new ErasedAddress(hashed, address.pseudonym)])
}
