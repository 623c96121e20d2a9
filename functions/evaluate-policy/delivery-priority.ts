/**
 * Selects which workers make an attempt. The attack: messages from `x@d1.example`, `x@d2.example` and so on to a mailbox
 * that does not exist. Each causes a DSN to a server of the attacker, which answers each command late and so occupies a
 * worker for minutes. The defence: such mail has workers of its own. Mail through a connector for the domain, to smart
 * hosts, through SES, and to domains that have proved themselves never waits behind it. Not covered: an attacker whose
 * domains have accepted mail of this deployment, other than DSNs, and then hang. Each such domain delays other mail by
 * one attempt.
 */
import type { DeliveryJob, DeliveryPriority } from '../../shared/contract/jobs.ts'
import { RecentMap } from '../../shared/limits/recent-map.ts'
import { bestPattern } from '../../shared/policy/order.ts'
import { selectOutbound } from '../../shared/policy/outbound.ts'
import { isSlowFailure } from '../../shared/policy/slow-failure.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'
import type {
  DestinationStanding,
  DestinationStandings,
} from '../../shared/transport/destination-standings.ts'

/**
 * DSNs to domains that are unproven or slow come last, because any client can cause them. So does mail to such a domain
 * whose last attempt failed slowly.
 */
export function deliveryPriority(
  { message, recipients }: Pick<DeliveryJob, 'message' | 'recipients'>,
  standing: DestinationStanding,
): DeliveryPriority {
  if (standing === 'Proven') return 'Normal'
  const isLast =
    message.envelope.mailFrom === '' || recipients.some(({ lastAttempt }) => isSlowFailure(lastAttempt))
  return isLast ? 'Low' : 'Unproven'
}

/**
 * Whether an administrator chose the servers: smart hosts, SES, a connector that names the domain and not only `*`, or a
 * connector whose requirement the message keeps.
 */
export function isConfigured({ route, destination, connector }: DeliveryJob, snapshot: Snapshot): boolean {
  if (route.kind !== 'Mx') return true
  const current = selectOutbound(snapshot, destination)
  if (connector !== undefined && connector.id !== current?.id) return true
  return current !== null && bestPattern(current.recipientDomains, destination) !== '*'
}

/** Short, so that a domain that begins to hang soon loses its place. */
const cacheTtlMs = 30_000
const maxDomains = 10_000

export class DeliveryPriorities {
  readonly #standings: Pick<DestinationStandings, 'read'>
  readonly #onError: (error: Error) => void
  readonly #cache = new RecentMap<string, { standing: Promise<DestinationStanding>; readAtMs: number }>(
    maxDomains,
  )

  /** @param onError called when a standing cannot be read */
  constructor(standings: Pick<DestinationStandings, 'read'>, onError: (error: Error) => void) {
    this.#standings = standings
    this.#onError = onError
  }

  /**
   * Sets the priority of each job whose servers no administrator chose. A domain whose standing cannot be read is
   * treated as slow: its mail is delivered.
   */
  assign(jobs: readonly DeliveryJob[], snapshot: Snapshot, now: Date): Promise<DeliveryJob[]> {
    return Promise.all(
      jobs.map(async (job) => {
        if (isConfigured(job, snapshot)) return job
        return { ...job, priority: deliveryPriority(job, await this.#standing(job.destination, now)) }
      }),
    )
  }

  #standing(domain: string, now: Date): Promise<DestinationStanding> {
    const cached = this.#cache.get(domain)
    if (cached && Math.abs(now.getTime() - cached.readAtMs) < cacheTtlMs) return cached.standing
    const standing = this.#standings.read(domain, now).catch((error: Error) => {
      this.#onError(error)
      this.#cache.delete(domain)
      return 'Slow' as const
    })
    this.#cache.set(domain, { standing, readAtMs: now.getTime() })
    return standing
  }
}
