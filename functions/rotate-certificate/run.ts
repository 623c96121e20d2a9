/** One run: updates the secret, publishes the certificates, and notifies partners. */
import type { PublishedRevision } from '../../shared/connectors-table/published-certificates.ts'
import type { IngressCertificates, PublishedCertificates } from '../../shared/contract/certificates.ts'
import type { Announcement } from '../../shared/queues/topic.ts'
import { type CertificatesAndKeys, nextServedFrom } from '../../shared/tls/certificate-choice.ts'
import { parseCertificateSecret } from '../../shared/tls/certificate-secret.ts'
import { describeCertificates } from '../../shared/tls/published.ts'
import { type News, newsSince, type Told, toldOf } from './news.ts'
import { isNews, planRotation, type Refusal } from './plan.ts'
import { Outrun, type SecretVersion } from './secret.ts'
import type { Turn } from './told.ts'

export interface Dependencies {
  secret: {
    read(): Promise<SecretVersion | null>
    replace(before: SecretVersion | null, text: string): Promise<void>
  }
  /** Null where an administrator fills the secret. */
  authority: { issued(): Promise<string[]>; export(): Promise<CertificatesAndKeys> } | null
  published: {
    readRevision(): Promise<PublishedRevision>
    write(published: PublishedCertificates, before: PublishedRevision): Promise<boolean>
  }
  told: {
    read(): Promise<Turn>
    claim(turn: Turn, now: Date): Promise<boolean>
    write(told: Told, turn: Turn): Promise<void>
  }
  tellEvent(news: News): Promise<void>
  tellPartners(notice: Announcement): Promise<void>
  /** Checks that OpenSSL accepts them. @throws Error of one line */
  prove(certificates: CertificatesAndKeys): void
  hostname: string
  noticeMs: number
  now(): Date
}

export interface Run {
  /** Whether the run changed the secret. */
  changed: boolean
  refused: Refusal[]
  told: News['detailType'][]
}

/** Attempts of one run, when concurrent runs write first. */
const maxAttempts = 4

/** @throws Error when a read or a write fails; completed steps stay valid, and the next run continues */
export async function rotate(dependencies: Dependencies): Promise<Run> {
  for (let attempt = 1; ; attempt++)
    try {
      return await rotateOnce(dependencies)
    } catch (error) {
      if (!(error instanceof Outrun) || attempt === maxAttempts) throw error
    }
}

async function rotateOnce(dependencies: Dependencies): Promise<Run> {
  const { secret, published, told, hostname, noticeMs, now } = dependencies
  // The order matters: a run that read an old secret read an old revision, too, so its write below fails.
  const turn = await told.read()
  const known = await published.readRevision()
  const before = await secret.read()
  const parsed = before && parseCertificateSecret(before.text)
  const set = parsed?.set ?? null
  // A secret with an unreadable part is not rewritten, since that would lose the part; its author must fix it.
  const isWhole = parsed === null || parsed.optionalFieldsFault === null
  const offer = isWhole ? await offered(dependencies, set) : null
  const facts = { hostname, prove: dependencies.prove, now: now(), noticeMs, published: known.published }
  const plan = planRotation({ ...facts, set, offer })
  const refused: Refusal[] = [
    ...(parsed?.optionalFieldsFault
      ? [{ certificates: 'Next' as const, ...parsed.optionalFieldsFault }]
      : []),
    ...plan.refused,
  ]
  const changed = isWhole && plan.set !== set
  if (changed) await secret.replace(before, secretText(before, plan.set))
  const isRefused = plan.refused.some(({ certificates }) => certificates === 'Next')
  const served = asServed(isWhole ? plan.set : (set ?? plan.set), isRefused)
  const description =
    known.published !== null && !plan.isServed
      ? known.published
      : describeCertificates(served, { hostname, now: facts.now, previous: known.published })
  if (description !== known.published && !(await published.write(description, known)))
    throw new Outrun('another run has published since')
  return { changed, refused, told: await tell(description, refused, turn, dependencies) }
}

/** Returns what the authority has and the secret has not; exports a key only then. */
async function offered(
  { authority }: Dependencies,
  set: IngressCertificates | null,
): Promise<CertificatesAndKeys | null> {
  if (authority === null) return null
  if (set !== null && !isNews(set, await authority.issued())) return null
  return authority.export()
}

/** Keeps fields that others have added. */
function secretText(before: SecretVersion | null, set: IngressCertificates): string {
  return JSON.stringify({ ...(before === null ? {} : JSON.parse(before.text)), ...set })
}

/** Returns what the ingress serves: it ignores a refused next certificate. */
function asServed(set: IngressCertificates, isRefused: boolean): IngressCertificates {
  const { next } = set
  if (!next || isRefused) return { ...set, next: null }
  return { ...set, next: { ...next, servedFrom: nextServedFrom(set, next).toISOString() } }
}

async function tell(
  published: PublishedCertificates,
  refused: readonly Refusal[],
  turn: Turn,
  { told, tellEvent, tellPartners, now }: Dependencies,
): Promise<News['detailType'][]> {
  const news = newsSince(turn.told, published, refused)
  const known = toldOf(published, refused)
  if (JSON.stringify(known) === JSON.stringify(turn.told)) return []
  if (!(await told.claim(turn, now()))) return []
  for (const one of news) {
    await tellEvent(one)
    if (one.notice) await tellPartners(one.notice)
  }
  await told.write(known, turn)
  return news.map(({ detailType }) => detailType)
}
