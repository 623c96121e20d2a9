/**
 * One run: records the certificates that the ingress serves, reads all observed certificates, and publishes a notice
 * for each that expires soon. A certificate of a connector causes one notice at each of its days. A notice is claimed
 * before it is published, so a second or repeated run does not publish it again. A notice that could not be published
 * is left to the next run.
 */
import type { InboundConnector, OutboundConnector } from '../../shared/connectors/schema.ts'
import type { PublishedCertificates } from '../../shared/contract/certificates.ts'
import { daySeconds } from '../../shared/contract/durations.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import {
  type CertificateInUse,
  type ExpiryGauge,
  type ExpiryNotice,
  findCertificatesInUse,
  findExpiringCertificates,
} from '../../shared/policy/foresight.ts'
import type { Announcement } from '../../shared/queues/topic.ts'
import type { NewObservation, Observation } from '../../shared/tls/observed/observation.ts'
import { publishedAt } from '../../shared/tls/published.ts'
import { expiryNoticeKey } from '../../shared/transport/keys.ts'
import { announce } from './notice-text.ts'
import { servedOf, sightingsOf } from './served.ts'

/** Stored with the claim of a published notice; `published` is its SNS message id. */
export interface Told {
  published: string
}

export interface Dependencies {
  published(): Promise<PublishedCertificates | null>
  connectors(): Promise<{ inbound: readonly InboundConnector[]; outbound: readonly OutboundConnector[] }>
  /** Records a certificate that the ingress serves. */
  see(sighting: NewObservation): Promise<void>
  observations(): AsyncIterable<Observation>
  claims: Claims<Told>
  /** @returns the SNS message id */
  publish(announcement: Announcement): Promise<string>
  /** Called for each notice; `failure` is null when it was published. */
  tell(notice: ExpiryNotice, failure: Error | null): void
}

export interface Run {
  /** Number of places where certificates were observed. */
  places: number
  gauges: ExpiryGauge[]
  told: number
  /** Notices that another run published or is publishing. */
  known: number
  failed: number
  /** Notices left to the next run. */
  left: number
}

/** Notices of one run; an administrator reads no more in a day. */
const maxNotices = 50

/** Longer than publishing takes, and shorter than the wait before Lambda repeats a failed run. */
const leaseMs = 30_000

/** A claim outlives its certificate, so that no notice is repeated. */
const rememberedSeconds = 400 * daySeconds

/** @throws when observations, connectors or published certificates cannot be read */
export async function runForesight(now: Date, dependencies: Dependencies): Promise<Run> {
  const kept = await dependencies.published()
  const published = kept && publishedAt(kept, now)
  for (const sighting of published ? sightingsOf(published, now) : []) await dependencies.see(sighting)
  const known = {
    connectors: await dependencies.connectors(),
    served: published ? servedOf(published) : [],
  }
  const inUse: CertificateInUse[] = []
  let places = 0
  for await (const observation of dependencies.observations()) {
    places += 1
    inUse.push(...findCertificatesInUse(observation, known, now))
  }
  const { gauges, notices } = findExpiringCertificates(inUse, now)
  const run: Run = { places, gauges, told: 0, known: 0, failed: 0, left: 0 }
  for (const notice of notices) await tellOnce(notice, now, run, dependencies)
  return run
}

async function tellOnce(
  notice: ExpiryNotice,
  now: Date,
  run: Run,
  { claims, publish, tell }: Dependencies,
): Promise<void> {
  if (run.told + run.failed >= maxNotices) {
    run.left += 1
    return
  }
  const key = expiryNoticeKey(notice.connector?.id ?? null, notice.certificate.fingerprint256, notice.days)
  const expiresAt = expiryAfter(now, rememberedSeconds)
  const claim = await claims.claim(key, now, leaseMs, expiresAt)
  if (claim.kind !== 'Claimed') {
    run.known += 1
    return
  }
  try {
    await claims.complete(key, { published: await publish(announce(notice)) })
    run.told += 1
    tell(notice, null)
  } catch (error) {
    run.failed += 1
    tell(notice, error as Error)
  }
}
