/** One run: updates the secret, publishes the certificates, and notifies partners. */
import type { PublishedRevision } from '../../shared/connectors-table/published-certificates.ts'
import type {
  IngressCertificates,
  PublishedCertificates,
  TlsaStatus,
} from '../../shared/contract/certificates.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import type { Announcement } from '../../shared/queues/topic-publisher.ts'
import { type CertificatesAndKeys, nextServedFrom } from '../../shared/tls/certificate-choice.ts'
import { parseCertificateSecret } from '../../shared/tls/certificate-secret.ts'
import { describeCertificates } from '../../shared/tls/describe-certificates.ts'
import {
  type CertificateChange,
  changesSince,
  type NotifiedState,
  notifiedStateOf,
} from './certificate-changes.ts'
import { ConcurrentUpdateError, type SecretVersion } from './certificate-secret-store.ts'
import type { NotificationState } from './notification-item.ts'
import { isNewer, planRotation, type Refusal } from './plan.ts'
import { publishTlsa, type TlsaZone } from './publish-tlsa.ts'
import { needsAdministrator, type TlsaLookup } from './tlsa-status.ts'

export interface Dependencies {
  secret: {
    read(): Promise<SecretVersion | null>
    replace(before: SecretVersion | null, text: string): Promise<void>
  }
  /** Null when an administrator fills the secret. */
  authority: { currentCertificates(): Promise<string[]>; export(): Promise<CertificatesAndKeys> } | null
  published: {
    readRevision(): Promise<PublishedRevision>
    write(published: PublishedCertificates, before: PublishedRevision): Promise<boolean>
  }
  notifications: {
    read(): Promise<NotificationState>
    claim(previous: NotificationState, now: Date): Promise<boolean>
    write(notified: NotifiedState, previous: NotificationState): Promise<void>
  }
  putEvent(changes: CertificateChange): Promise<void>
  notifyPartners(notice: Announcement): Promise<void>
  /** Checks that OpenSSL accepts the certificates. @throws Error with one line, when it does not */
  checkWithOpenSsl(certificates: CertificatesAndKeys): void
  lookUpTlsa(): Promise<TlsaLookup>
  /** Null when an administrator publishes the TLSA records. */
  tlsaZone: TlsaZone | null
  hostname: string
  noticeMs: number
  now(): Date
}

export interface RotationRun {
  /** Whether the run changed the secret. */
  changed: boolean
  refused: Refusal[]
  notifications: CertificateChange['detailType'][]
  /** The status of next certificates that wait until an administrator acts; null otherwise. */
  waiting: TlsaStatus | null
  /** Why the TLSA records could not be published; null when they were, or an administrator publishes them. */
  tlsaFault: string | null
}

/** Attempts of one run, when concurrent runs write first. */
const maxAttempts = 4

/** @throws Error when a read or a write fails; completed steps stay valid, and the next run continues */
export async function rotate(dependencies: Dependencies): Promise<RotationRun> {
  for (let attempt = 1; ; attempt++)
    try {
      return await rotateOnce(dependencies)
    } catch (error) {
      if (!(error instanceof ConcurrentUpdateError) || attempt === maxAttempts) throw error
    }
}

async function rotateOnce(dependencies: Dependencies): Promise<RotationRun> {
  const { secret, published, hostname, noticeMs, now } = dependencies
  // The order matters: a run that read an old secret also read an old revision, so its `published.write` below fails.
  const notified = await dependencies.notifications.read()
  const revision = await published.readRevision()
  const before = await secret.read()
  const parsed = before && parseCertificateSecret(before.text)
  const set = parsed?.set ?? null
  // A secret with an unreadable part is not rewritten, because a rewrite would lose that part; an administrator must
  // fix it.
  const isFullyReadable = parsed === null || parsed.optionalFieldsFault === null
  const offer = isFullyReadable ? await fetchOffer(dependencies, set) : null
  const facts = {
    hostname,
    checkWithOpenSsl: dependencies.checkWithOpenSsl,
    now: now(),
    noticeMs,
    published: revision.published,
  }
  const tlsa = set?.next || offer ? await dependencies.lookUpTlsa() : noTlsa
  const plan = planRotation({ ...facts, set, offer, tlsa })
  const refused: Refusal[] = [
    ...(parsed?.optionalFieldsFault
      ? [{ certificates: 'Next' as const, ...parsed.optionalFieldsFault }]
      : []),
    ...plan.refused,
  ]
  const changed = isFullyReadable && plan.set !== set
  if (changed) await secret.replace(before, secretText(before, plan.set))
  const isRefused = plan.refused.some(({ certificates }) => certificates === 'Next')
  const served = servedSet(isFullyReadable ? plan.set : (set ?? plan.set), isRefused)
  const description =
    revision.published !== null && !plan.isReplacementAccepted
      ? revision.published
      : describeCertificates(served, {
          hostname,
          now: facts.now,
          previous: revision.published,
          nextTlsa: plan.nextTlsa,
        })
  if (description !== revision.published && !(await published.write(description, revision)))
    throw new ConcurrentUpdateError('another run has published meanwhile')
  const notifications = await notify(description, refused, notified, dependencies)
  const isNextRefused = refused.some(({ certificates }) => certificates === 'Next')
  const withdrawn = isNextRefused ? [] : nextKeysOf(revision.published)
  const tlsaFault = await tlsaFaultOf(description, withdrawn, dependencies)
  const isAutomatic = dependencies.tlsaZone !== null
  const waiting = needsAdministrator(plan.nextTlsa, plan.set, isAutomatic) ? plan.nextTlsa : null
  return { changed, refused, notifications, waiting, tlsaFault }
}

const nextKeysOf = (published: PublishedCertificates | null): string[] =>
  (published?.certificates ?? [])
    .filter(({ state }) => state === 'Next')
    .map(({ publicKeyFingerprint256 }) => publicKeyFingerprint256)

/**
 * Publishes the TLSA records last: the other steps do not depend on Route 53.
 * @param withdrawn keys that were announced before this run; those that are announced or in use keep their records
 */
async function tlsaFaultOf(
  published: PublishedCertificates,
  withdrawn: readonly string[],
  { tlsaZone, now }: Dependencies,
): Promise<string | null> {
  try {
    if (tlsaZone) await publishTlsa(tlsaZone, published, now(), withdrawn)
    return null
  } catch (error) {
    return errorMessage(error)
  }
}

const noTlsa: TlsaLookup = { kind: 'None' }

/**
 * Returns all certificates of the authority with their keys, if the secret is empty or they are newer than those in the
 * secret (`isNewer`). Otherwise returns null, and exports no key.
 */
async function fetchOffer(
  { authority }: Dependencies,
  set: IngressCertificates | null,
): Promise<CertificatesAndKeys | null> {
  if (authority === null) return null
  if (set !== null && !isNewer(set, await authority.currentCertificates())) return null
  return authority.export()
}

/** Returns the secret's new text, with the fields that other programs have added. */
function secretText(before: SecretVersion | null, set: IngressCertificates): string {
  return JSON.stringify({ ...(before === null ? {} : JSON.parse(before.text)), ...set })
}

/** Returns the certificates that the ingress serves: the ingress ignores a refused next certificate. */
function servedSet(set: IngressCertificates, isRefused: boolean): IngressCertificates {
  const { next } = set
  if (!next || isRefused) return { ...set, next: null }
  return { ...set, next: { ...next, servedFrom: nextServedFrom(set, next).toISOString() } }
}

async function notify(
  published: PublishedCertificates,
  refused: readonly Refusal[],
  lastNotified: NotificationState,
  { notifications, putEvent, notifyPartners, now }: Dependencies,
): Promise<CertificateChange['detailType'][]> {
  const changes = changesSince(lastNotified.notified, published, refused)
  const currentState = notifiedStateOf(published, refused)
  if (JSON.stringify(currentState) === JSON.stringify(lastNotified.notified)) return []
  if (!(await notifications.claim(lastNotified, now()))) return []
  for (const change of changes) {
    await putEvent(change)
    if (change.notice) await notifyPartners(change.notice)
  }
  await notifications.write(currentState, lastNotified)
  return changes.map(({ detailType }) => detailType)
}
