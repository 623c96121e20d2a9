/** What the attempts of a job show about the load of its destination. Pure. */
import type { Attempt, Reply } from '../../shared/contract/message.ts'
import type { DestinationLoad } from '../../shared/transport/slots.ts'

/**
 * @returns null when the attempts show nothing about the load: after a permanent failure, an unmet TLS requirement, or
 * an attempt that reached no host
 */
export function loadShownBy(attempts: readonly Attempt[]): DestinationLoad | null {
  const reached = attempts.filter(({ host }) => host !== null)
  if (reached.some(({ outcome, reply }) => outcome === 'TemporaryFailure' && isOverload(reply)))
    return 'Overloaded'
  return reached.some(({ outcome }) => outcome === 'Delivered') ? 'Accepted' : null
}

/**
 * RFC 3463: X.3.Z is a fault of the mail system, X.4.Z of the network, X.7.Z of its policies, such as too many
 * connections. The other classes concern the address, the mailbox or the message. Replies without an enhanced code are
 * those of RFC 5321 §4.2.3: 421 closes the connection, 451 and 452 report a server in trouble.
 */
const overloadStatus = /^4\.[347]\./
const overloadCodes = [421, 451, 452]

const isOverload = ({ code, enhanced }: Reply): boolean =>
  code === 421 || (enhanced ? overloadStatus.test(enhanced) : overloadCodes.includes(code))
