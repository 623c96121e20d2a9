/** Checks whether a client certificate is revoked. */
import type { ClientCertificate } from '../../../shared/contract/message.ts'
import type { Revocation } from '../../../shared/contract/revocation.ts'
import { parseAnchors, parseChain } from '../../../shared/net/revocation/anchors.ts'
import type { RevocationChecker } from '../../../shared/net/revocation/checker.ts'

/**
 * Never rejects. Takes at most about three seconds.
 * @param authorities PEM: one list for each connector that requires the check; an empty list means the public roots
 * @param checker if absent, the status is `Unknown`
 */
export async function checkClientRevocation(
  { chain }: ClientCertificate,
  authorities: readonly (readonly string[])[],
  checker: Pick<RevocationChecker, 'check'> | undefined,
  at: Date,
): Promise<Revocation> {
  const anchors = authorities.flatMap(parseAnchors)
  const result = await checker?.check({ chain: parseChain(chain), anchors, at })
  return result
    ? { status: result.status, detail: result.detail }
    : { status: 'Unknown', detail: 'the ingress does not check revocation' }
}
