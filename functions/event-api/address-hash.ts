/** The hash of addresses in events, for requests that name an address. */
import { Problem } from '../../shared/http-api/problem.ts'
import type { AddressHash } from '../../shared/mail/address-hash.ts'

/** Null: addresses in events are plain. Rejects while the key cannot be read. */
export type ReadAddressHash = () => Promise<AddressHash | null>

/** @throws Problem 503: without the key, what has the address would silently be left out */
export async function readOrRefuse(read: ReadAddressHash): Promise<AddressHash | null> {
  try {
    return await read()
  } catch {
    throw new Problem(
      503,
      'The key of hashed addresses cannot be read from Secrets Manager, so mail of the address cannot be found. Try again.',
      { headers: { 'retry-after': '1' } },
    )
  }
}
