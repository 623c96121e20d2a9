/** Records what an attempt shows about the standing of its destination. */

import { hourMs } from '../../shared/contract/durations.ts'
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import { RecentMap } from '../../shared/limits/recent-map.ts'
import { isSlowFailure, slowAttemptMs } from '../../shared/policy/slow-failure.ts'
import type { DestinationStandings } from '../../shared/transport/destination-standings.ts'
import type { RecipientAttempt } from './deliver-job.ts'

/** What an attempt shows: `Proof` when the servers accepted a message soon, `SlowFailure`, or nothing. */
export function standingShownBy(
  { route, message }: Pick<DeliveryJob, 'route' | 'message'>,
  attempts: readonly RecipientAttempt[],
): 'Proof' | 'SlowFailure' | null {
  if (route.kind !== 'Mx' || attempts.length === 0) return null
  if (attempts.some(({ attempt }) => isSlowFailure(attempt))) return 'SlowFailure'
  const isAccepted = attempts.some(
    ({ attempt }) => attempt.outcome === 'Delivered' && attempt.durationMs < slowAttemptMs,
  )
  return isAccepted && message.envelope.mailFrom !== '' ? 'Proof' : null
}

/** A domain's proof is written again by this instance after this time. */
const proofIntervalMs = 12 * hourMs
const maxDomains = 10_000

export class StandingRecorder {
  readonly #standings: Pick<DestinationStandings, 'recordProof' | 'recordSlowFailure'>
  readonly #onError: (error: Error) => void
  readonly #writtenAtMs = new RecentMap<string, number>(maxDomains)

  /** @param onError called when a write fails; mail does not depend on it */
  constructor(
    standings: Pick<DestinationStandings, 'recordProof' | 'recordSlowFailure'>,
    onError: (error: Error) => void,
  ) {
    this.#standings = standings
    this.#onError = onError
  }

  /** Never throws. */
  async record(job: DeliveryJob, attempts: readonly RecipientAttempt[], now: Date): Promise<void> {
    const shown = standingShownBy(job, attempts)
    const { destination: domain } = job
    if (shown === 'SlowFailure') {
      this.#writtenAtMs.delete(domain)
      await this.#standings.recordSlowFailure(domain, now).catch(this.#onError)
    }
    if (shown !== 'Proof' || this.#isWritten(job, now)) return
    this.#writtenAtMs.set(domain, now.getTime())
    await this.#standings.recordProof(domain, now).catch((error: Error) => {
      this.#writtenAtMs.delete(domain)
      this.#onError(error)
    })
  }

  /** A job without normal priority shows that the table has no proof, or that the domain was slow since. */
  #isWritten({ destination, priority = 'Normal' }: DeliveryJob, now: Date): boolean {
    const writtenAtMs = this.#writtenAtMs.get(destination)
    return priority === 'Normal' && writtenAtMs !== undefined && now.getTime() - writtenAtMs < proofIntervalMs
  }
}
