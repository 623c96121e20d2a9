/** What is known of the gateway's own certificates. Pure. */
import { dayMs } from '../../../../../shared/contract/durations.ts'
import type { PublishedCertificates } from '../../api/types.ts'

export type OwnCertificate = PublishedCertificates['certificates'][number]

/** Whole days until the certificate expires; negative when it has expired. */
export const daysUntil = (at: string, now: number): number => Math.floor((Date.parse(at) - now) / dayMs)

/** When the next certificate is served; null if none is announced. */
export const rotationDate = ({ certificates }: PublishedCertificates): string | null =>
  certificates.find(({ state }) => state === 'Next')?.servedFrom ?? null

export const stateSentences: Readonly<Record<OwnCertificate['state'], string>> = {
  Current: 'presented now',
  Next: 'presented after the rotation',
  Deprecated: 'no longer presented',
}

export const tlsaSentences: Readonly<
  Record<NonNullable<PublishedCertificates['nextTlsa']>['state'], string>
> = {
  Missing: 'The next certificate waits until these records are visible. Publish them, and keep the others.',
  Unknown: 'The next certificate waits, because the lookup of the records failed.',
  Visible: 'The records of the next certificate are visible.',
}
