/** The rows of the observed certificates: filters and order. Pure. */

import type { ObservedCertificates } from '../../api/types.ts'
import { type SortValue, sortedBy } from '../../components/paging.ts'

export type ObservedKind = ObservedCertificates['kind']
export type SeenCertificate = ObservedCertificates['certificates'][number]

export interface ObservedRow {
  key: string
  kind: ObservedKind
  connector: ObservedCertificates['connector']
  domain: string | null
  host: string
  certificate: SeenCertificate
}

export interface ObservedFilter {
  /** Empty: all. */
  kind: string
  text: string
  /** Days until expiry; null: all. */
  within: number | null
  /** Whether certificates are listed that were superseded, or not seen for 30 days. */
  includesEarlier: boolean
}

export const observedKinds: readonly ObservedKind[] = ['Own', 'PartnerServer', 'PartnerClient']

export const observedRows = (all: readonly ObservedCertificates[]): ObservedRow[] =>
  all.flatMap(({ kind, connector, domain, host, certificates }) =>
    certificates.map((certificate) => ({
      ...{ kind, connector, domain, host, certificate },
      key: [kind, connector?.id ?? '', host, certificate.fingerprint256].join(' '),
    })),
  )

export function filterObserved(
  rows: readonly ObservedRow[],
  { kind, text, within, includesEarlier }: ObservedFilter,
): ObservedRow[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return rows.filter(
    (row) =>
      (kind === '' || row.kind === kind) &&
      (includesEarlier || row.certificate.use === 'InUse') &&
      (within === null || row.certificate.daysLeft <= within) &&
      words.every((word) => searchedText(row).includes(word)),
  )
}

const searchedText = ({ connector, domain, host, certificate }: ObservedRow): string =>
  [
    connector?.name ?? '',
    domain ?? '',
    host,
    certificate.subject,
    certificate.issuer,
    certificate.fingerprint256,
    ...certificate.subjectAltNames,
  ]
    .join('\n')
    .toLowerCase()

const sortValues = {
  daysLeft: ({ certificate }: ObservedRow): SortValue => certificate.daysLeft,
  connector: ({ connector, domain }: ObservedRow): SortValue => connector?.name ?? domain,
  host: ({ host }: ObservedRow): SortValue => host,
  issuer: ({ certificate }: ObservedRow): SortValue => certificate.issuer,
  lastSeen: ({ certificate }: ObservedRow): SortValue => certificate.lastSeen,
}
export type SortKey = keyof typeof sortValues

export const isSortKey = (text: string | undefined): text is SortKey =>
  text !== undefined && Object.hasOwn(sortValues, text)

export const sortObserved = (rows: readonly ObservedRow[], key: SortKey, isDescending: boolean) =>
  sortedBy(rows, sortValues[key], isDescending)

/** @param text of the address @returns null unless it is a number of days */
export const readWithin = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,4}$/.test(text) ? Number(text) : null
