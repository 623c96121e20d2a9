/** The stored form of an unknown certificate at a connector. */

import type { AcceptedCertificate } from '../contract/certificate.ts'
import type { CertificateNotice } from '../contract/jobs.ts'
import { effectOf, limitGroupOf, NoticeEffect } from '../contract/notice-groups.ts'
import type { UnknownCertificateKind } from './message-keys.ts'

/** An administrator's word that the certificate is not the partner's. */
export interface Dismissal {
  at: string
  /** IAM principal, or subject of the token. */
  by: string
  reason: string
  /** Until then, the certificate causes no notice at this connector. */
  until: string
}

/** What happened to mail with the certificate, and the notices about it. */
export interface EffectRecord {
  effect: NoticeEffect
  firstSeen: string
  lastSeen: string
  /** When the last held mail bounces; null unless mail was held. */
  heldUntil: string | null
  /** Null if none was sent. */
  notices: { count: number; first: string; last: string } | null
}

/** The last notice of the certificate, without what only its queue needs. */
export type StoredNotice = Omit<
  CertificateNotice,
  'kind' | 'requires' | 'failures' | 'consequence' | 'heldUntil'
>

export interface UnknownCertificate {
  notice: StoredNotice
  /** The last certificate that the connector accepted, at the time of the last notice. */
  accepted: AcceptedCertificate | null
  firstSeen: string
  lastSeen: string
  /** Number of jobs about it: at most one per hour, effect and process. So it was presented at least this often. */
  seenCount: number
  effects: EffectRecord[]
  dismissal: Dismissal | null
}

export type UnknownCertificateItem = Record<string, unknown> & {
  notice: StoredNotice
  accepted: AcceptedCertificate | null
  firstSeen: string
  lastSeen: string
  seenCount: number
  dismissal?: Dismissal
  /** DynamoDB may delete the item after this time, in seconds since the epoch. */
  expiresAt: number
}

export const kindOf = (notice: Pick<CertificateNotice, 'vouchedFor' | 'facts'>): UnknownCertificateKind =>
  limitGroupOf(notice) === 'Other' ? 'Other' : 'Trusted'

/** Attributes for an effect. They are not in a map, because one write can then set the first and add to the count. */
export const effectAttributes = (effect: NoticeEffect) => ({
  firstSeen: `firstSeen${effect}`,
  lastSeen: `lastSeen${effect}`,
  heldUntil: `heldUntil${effect}`,
  noticeCount: `noticeCount${effect}`,
  firstNotice: `firstNotice${effect}`,
  lastNotice: `lastNotice${effect}`,
})

export const attributesOf = (notice: Pick<CertificateNotice, 'consequence' | 'connector'>) =>
  effectAttributes(effectOf(notice))

export function toUnknownCertificate(item: UnknownCertificateItem): UnknownCertificate {
  const { notice, accepted, firstSeen, lastSeen, seenCount, dismissal = null } = item
  const effects = NoticeEffect.options.flatMap((effect) => effectRecord(item, effect) ?? [])
  return { notice, accepted, firstSeen, lastSeen, seenCount, effects, dismissal }
}

function effectRecord(item: UnknownCertificateItem, effect: NoticeEffect): EffectRecord | null {
  const names = effectAttributes(effect)
  const text = (name: keyof typeof names) => item[names[name]] as string | undefined
  const [firstSeen, lastSeen] = [text('firstSeen'), text('lastSeen')]
  if (firstSeen === undefined || lastSeen === undefined) return null
  const [first, last] = [text('firstNotice'), text('lastNotice')]
  return {
    effect,
    firstSeen,
    lastSeen,
    heldUntil: text('heldUntil') ?? null,
    notices:
      first === undefined || last === undefined
        ? null
        : { count: item[names.noticeCount] as number, first, last },
  }
}
