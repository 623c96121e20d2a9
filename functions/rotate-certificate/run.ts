/** One run: what the secret is to hold, what partners are told of it, and that they are told. */
import type { PublishedRevision } from '../../shared/connectors-table/published-certificates.ts'
import type { IngressCertificates, PublishedCertificates } from '../../shared/contract/certificates.ts'
import type { Announcement } from '../../shared/queues/topic.ts'
import { type CertificatesAndKeys, dueAt } from '../../shared/tls/certificate-choice.ts'
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
  /** Whether OpenSSL takes them. @throws Error in one line */
  prove(certificates: CertificatesAndKeys): void
  hostname: string
  noticeMs: number
  now(): Date
}

export interface Run {
  /** Whether the secret has another value. */
  changed: boolean
  refused: Refusal[]
  told: News['detailType'][]
}

/** Runs that come at the same time as ours, before we leave it to the next. */
const mostTries = 4

/** @throws Error when something cannot be read or written; what was done until then is good, and the next run goes on */
export async function rotate(dependencies: Dependencies): Promise<Run> {
  for (let tries = 1; ; tries++)
    try {
      return await rotateOnce(dependencies)
    } catch (error) {
      if (!(error instanceof Outrun) || tries === mostTries) throw error
    }
}

async function rotateOnce(dependencies: Dependencies): Promise<Run> {
  const { secret, published, told, hostname, noticeMs, now } = dependencies
  // In this order: who read an old secret cannot have read what was made of a newer one, and is found out below.
  const turn = await told.read()
  const known = await published.readRevision()
  const before = await secret.read()
  const parsed = before && parseCertificateSecret(before.text)
  const set = parsed?.set ?? null
  // What was left out at reading must not be lost at writing: who wrote it mends it first.
  const isWhole = parsed === null || parsed.refused === null
  const offer = isWhole ? await offered(dependencies, set) : null
  const facts = { hostname, prove: dependencies.prove, now: now(), noticeMs, published: known.published }
  const plan = planRotation({ ...facts, set, offer })
  const refused: Refusal[] = [
    ...(parsed?.refused ? [{ certificates: 'Next' as const, ...parsed.refused }] : []),
    ...plan.refused,
  ]
  const changed = isWhole && plan.set !== set
  if (changed) await secret.replace(before, secretText(before, plan.set))
  const isRefused = plan.refused.some(({ certificates }) => certificates === 'Next')
  const served = asServed(isWhole ? plan.set : (set ?? plan.set), isRefused)
  const description =
    known.published !== null && !plan.isServed
      ? known.published
      : describeCertificates(served, { hostname, now: facts.now, before: known.published })
  if (description !== known.published && !(await published.write(description, known)))
    throw new Outrun('another run has published since')
  return { changed, refused, told: await tell(description, refused, turn, dependencies) }
}

/** What the authority has that we have not; a key is exported only then. */
async function offered(
  { authority }: Dependencies,
  set: IngressCertificates | null,
): Promise<CertificatesAndKeys | null> {
  if (authority === null) return null
  if (set !== null && !isNews(set, await authority.issued())) return null
  return authority.export()
}

/** Fields that others have put there stay. */
function secretText(before: SecretVersion | null, set: IngressCertificates): string {
  return JSON.stringify({ ...(before === null ? {} : JSON.parse(before.text)), ...set })
}

/** As the ingress serves them: a next that is refused is none. */
function asServed(set: IngressCertificates, isRefused: boolean): IngressCertificates {
  const { next } = set
  if (!next || isRefused) return { ...set, next: null }
  return { ...set, next: { ...next, servedFrom: dueAt(set, next).toISOString() } }
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
