/**
 * One run: records the certificates that the ingress serves, reads all observed certificates, and publishes a notice
 * for each that expires soon. A certificate causes one notice per connector on each notice day (30, 14 and 3 days
 * before expiry; fewer if it is renewed automatically). A notice is claimed before it is published, so a second or
 * repeated run does not publish it again. The next run publishes a notice that could not be published.
 */
import { openRelayFaults } from '../../shared/connectors/open-relay.ts'
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
} from '../../shared/policy/certificate-expiry.ts'
import type { Announcement } from '../../shared/queues/topic-publisher.ts'
import { descriptionAt } from '../../shared/tls/description-at.ts'
import type { NewObservation, Observation } from '../../shared/tls/observed/observation.ts'
import { expiryNoticeKey } from '../../shared/transport/keys.ts'
import { expiryAnnouncement } from './notice-text.ts'
import { observationsOfServed, servedCertificatesOf } from './served.ts'

/** Stored with the claim of a published notice; `published` is its SNS message id. */
export interface SentNotice {
  published: string
}

export interface Dependencies {
  published(): Promise<PublishedCertificates | null>
  connectors(): Promise<{ inbound: readonly InboundConnector[]; outbound: readonly OutboundConnector[] }>
  /** Records a certificate that the ingress serves. */
  recordServed(newObservation: NewObservation): Promise<void>
  observations(): AsyncIterable<Observation>
  claims: Claims<SentNotice>
  /** @returns the SNS message id */
  publish(announcement: Announcement): Promise<string>
  /** Called for each notice; `failure` is null when it was published. */
  logNotice(notice: ExpiryNotice, failure: Error | null): void
}

export interface ExpiryRun {
  /** Number of locations where certificates were observed. */
  locations: number
  gauges: ExpiryGauge[]
  /** Names of the connectors that make the gateway an open relay. */
  openRelays: string[]
  published: number
  /** Notices that another run published or is publishing. */
  alreadyPublished: number
  failed: number
  /** Notices left to the next run. */
  leftToNextRun: number
}

/** Limit of notices of one run, so that an administrator can read them all. */
const maxNotices = 50

/** Longer than publishing takes, and shorter than the wait before Lambda repeats a failed run. */
const leaseMs = 30_000

/** A claim outlives its certificate, so that no notice is repeated. */
const claimTtlSeconds = 400 * daySeconds

/** @throws when observations, connectors or published certificates cannot be read */
export async function watchExpiry(now: Date, dependencies: Dependencies): Promise<ExpiryRun> {
  const stored = await dependencies.published()
  const published = stored && descriptionAt(stored, now)
  for (const newObservation of published ? observationsOfServed(published, now) : [])
    await dependencies.recordServed(newObservation)
  const connectors = await dependencies.connectors()
  const connectorsAndServed = {
    connectors,
    servedCertificates: published ? servedCertificatesOf(published) : [],
  }
  const inUse: CertificateInUse[] = []
  let locations = 0
  for await (const observation of dependencies.observations()) {
    locations += 1
    inUse.push(...findCertificatesInUse(observation, connectorsAndServed, now))
  }
  const { gauges, notices } = findExpiringCertificates(inUse, now)
  const openRelays = connectors.inbound
    .filter((connector) => openRelayFaults(connector).length > 0)
    .map(({ name }) => name)
  const run: ExpiryRun = {
    locations,
    gauges,
    openRelays,
    published: 0,
    alreadyPublished: 0,
    failed: 0,
    leftToNextRun: 0,
  }
  for (const notice of notices) await publishOnce(notice, now, run, dependencies)
  return run
}

async function publishOnce(
  notice: ExpiryNotice,
  now: Date,
  run: ExpiryRun,
  { claims, publish, logNotice }: Dependencies,
): Promise<void> {
  if (run.published + run.failed >= maxNotices) {
    run.leftToNextRun += 1
    return
  }
  const key = expiryNoticeKey(notice.connector?.id ?? null, notice.certificate.fingerprint256, notice.days)
  const expiresAt = expiryAfter(now, claimTtlSeconds)
  const claim = await claims.claim(key, now, leaseMs, expiresAt)
  if (claim.kind !== 'Claimed') {
    run.alreadyPublished += 1
    return
  }
  try {
    await claims.complete(key, { published: await publish(expiryAnnouncement(notice)) })
    run.published += 1
    logNotice(notice, null)
  } catch (error) {
    run.failed += 1
    logNotice(notice, error as Error)
  }
}
