/** Asks whether a client's certificate was revoked. */
import type { ClientCertificate } from '../../../shared/contract/message.ts'
import type { Revocation } from '../../../shared/contract/revocation.ts'
import { anchorsOf, certificatesOf } from '../../../shared/net/revocation/anchors.ts'
import type { RevocationChecker } from '../../../shared/net/revocation/checker.ts'

/**
 * Never rejects, and takes some three seconds at most.
 * @param authorities of each connector that asks, PEM; an empty list means the public roots
 * @param checker left out, nobody is asked
 */
export async function revocationOf(
  { chain }: ClientCertificate,
  authorities: readonly (readonly string[])[],
  checker: Pick<RevocationChecker, 'check'> | undefined,
  at: Date,
): Promise<Revocation> {
  const anchors = authorities.flatMap(anchorsOf)
  const found = await checker?.check({ chain: certificatesOf(chain), anchors, at })
  return found
    ? { status: found.status, detail: found.detail }
    : { status: 'Unknown', detail: 'nobody is asked from here' }
}
