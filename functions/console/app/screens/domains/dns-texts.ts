/** The results of a check of a domain's records, in words. Pure. */
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { DomainDns } from '../../api/types.ts'

export type DnsCheck = DomainDns['checks'][number]
export type DnsStatus = DnsCheck['status']

/** Cloudscape's names of what a sign means. */
type Indication = 'success' | 'info' | 'warning' | 'error' | 'pending'

export const statusTexts: Readonly<Record<DnsStatus, { label: string; indication: Indication }>> = {
  OK: { label: 'OK', indication: 'success' },
  ADVICE: { label: 'Advice', indication: 'info' },
  WARN: { label: 'Risk', indication: 'warning' },
  MISSING: { label: 'Missing', indication: 'error' },
  DIFFERENT: { label: 'Different', indication: 'error' },
  UNKNOWN: { label: 'Unknown', indication: 'pending' },
}

/** The most urgent first. */
const order: readonly DnsStatus[] = ['DIFFERENT', 'MISSING', 'WARN', 'UNKNOWN', 'ADVICE', 'OK']

const rankOf = ({ status }: DnsCheck): number => order.indexOf(status)

/** What the record is for. */
export const purposes: Readonly<Record<DnsCheck['check'], string>> = {
  'Accepted domain': 'The gateway accepts mail for the domain.',
  MX: 'Where other servers deliver mail for the domain.',
  Address: 'The addresses of the MX host.',
  IPv6: 'The IPv6 addresses of the MX host.',
  Certificate: 'The names in the certificates of this gateway.',
  CAA: 'Who may issue certificates.',
  SPF: 'Which servers may send mail with this domain.',
  DKIM: 'Keys with which receivers verify signatures of your mail.',
  DMARC: 'What receivers do with mail that forges the domain.',
  'MTA-STS policy': 'Senders that read it deliver only over verified TLS.',
  'MTA-STS': 'Shows senders that there is a policy.',
  'TLS-RPT': 'Where senders report failures of TLS.',
  DNSSEC: 'Signatures that protect the records of the domain.',
  TLSA: 'The keys of the MX host, for senders that use DANE.',
}

/** Sentences about one check. A check that is OK may have none of its own. */
export const sentencesOf = ({ check, status, detail }: DnsCheck): readonly string[] =>
  detail.length > 0 ? detail : [status === 'OK' ? okTexts[check] : (purposes[check] ?? '')]

const okTexts: Readonly<Record<DnsCheck['check'], string>> = {
  'Accepted domain': 'The gateway accepts mail for the domain.',
  MX: 'Other servers deliver mail for the domain to this gateway.',
  Address: 'The MX host has public addresses.',
  IPv6: 'The MX host has an IPv6 address.',
  Certificate: 'The certificates of the gateway are valid for this name.',
  CAA: 'Only the authorities in the record may issue certificates.',
  SPF: 'The record permits the servers that send your mail.',
  DKIM: 'The domain has a key.',
  DMARC: 'The record is valid.',
  'MTA-STS policy': 'The policy that is served is the expected one.',
  'MTA-STS': 'The record leads senders to the policy.',
  'TLS-RPT': 'Senders know where to send TLS reports.',
  DNSSEC: 'The answers are signed.',
  TLSA: 'The records match the certificates of this gateway.',
}

/** Stable: checks of one urgency keep the order of the API. */
export const byUrgency = (checks: readonly DnsCheck[]): readonly DnsCheck[] =>
  checks.toSorted((a, b) => rankOf(a) - rankOf(b))

export interface DnsSummaryText {
  indication: Indication
  /** About the most urgent status. */
  text: string
  /** About the others. */
  others: readonly string[]
}

/** For a list: the most urgent status, and how often the others occur. */
export function summaryOf({ checks }: Pick<DomainDns, 'checks'>): DnsSummaryText {
  const counts = order
    .filter((status) => status !== 'OK')
    .map((status) => [status, checks.filter((check) => check.status === status)] as const)
    .filter(([, found]) => found.length > 0)
  const [worst] = counts
  if (worst === undefined) return { indication: 'success', text: 'All records are as expected', others: [] }
  return {
    indication: statusTexts[worst[0]].indication,
    text: countOf(...worst),
    others: counts.slice(1).map(([status, found]) => countOf(status, found)),
  }
}

/** Names the records that must change; the others are only counted. */
const countOf = (status: DnsStatus, found: readonly DnsCheck[]): string => {
  const names = [...new Set(found.map(({ check }) => check))].join(', ')
  if (status === 'MISSING') return `Missing: ${names}`
  if (status === 'DIFFERENT') return `Different: ${names}`
  if (status === 'WARN') return countText(found.length, 'risk')
  if (status === 'UNKNOWN') return `${found.length} unknown`
  return `${found.length} with advice`
}
