/**
 * One run: writes down what our ingress shows, reads everything that was seen, and tells of what expires, each
 * certificate of a connector once at each of its days. A notice is claimed before it is published, so neither a second
 * run nor a repeated one tells of it again; what could not be told is told by the next run.
 */
import type { InboundConnector, OutboundConnector } from '../../shared/connectors/schema.ts'
import type { PublishedCertificates } from '../../shared/contract/certificates.ts'
import { daySeconds } from '../../shared/contract/durations.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import { type ExpiryNotice, foresee, type Gauge, type InUse, usedAt } from '../../shared/policy/foresight.ts'
import type { Announcement } from '../../shared/queues/topic.ts'
import type { Observation, Sighting } from '../../shared/tls/observed/observation.ts'
import { publishedAt } from '../../shared/tls/published.ts'
import { expiryNoticeKey } from '../../shared/transport/keys.ts'
import { announce } from './notice-text.ts'
import { servedOf, sightingsOf } from './served.ts'

/** What is kept of a notice that was published. */
export interface Told {
  published: string
}

export interface Dependencies {
  published(): Promise<PublishedCertificates | null>
  connectors(): Promise<{ inbound: readonly InboundConnector[]; outbound: readonly OutboundConnector[] }>
  /** Writes down what our ingress shows. */
  see(sighting: Sighting): Promise<void>
  observations(): AsyncIterable<Observation>
  claims: Claims<Told>
  /** @returns the topic's id for it */
  publish(announcement: Announcement): Promise<string>
  /** Told of each notice, and of each that could not be published. */
  tell(notice: ExpiryNotice, failure: Error | null): void
}

export interface Run {
  /** Places at which certificates were seen. */
  places: number
  gauges: Gauge[]
  told: number
  /** Were told of before. */
  known: number
  failed: number
  /** Are left to the next run. */
  left: number
}

/** Of one run: more than anybody reads in a day. */
const mostNotices = 50

/** Longer than publishing can take, and shorter than the time until a run that failed is repeated. */
const leaseMs = 30_000

/** After the certificate expired, so that nobody hears of it again. */
const rememberedSeconds = 400 * daySeconds

/** @throws when what was seen, or what is known of it, cannot be read */
export async function runForesight(now: Date, dependencies: Dependencies): Promise<Run> {
  const kept = await dependencies.published()
  const published = kept && publishedAt(kept, now)
  for (const sighting of published ? sightingsOf(published, now) : []) await dependencies.see(sighting)
  const known = {
    connectors: await dependencies.connectors(),
    served: published ? servedOf(published) : [],
  }
  const inUse: InUse[] = []
  let places = 0
  for await (const observation of dependencies.observations()) {
    places += 1
    inUse.push(...usedAt(observation, known, now))
  }
  const { gauges, notices } = foresee(inUse, now)
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
  if (run.told + run.failed >= mostNotices) {
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
