/** A finding: what is found out about one record, or one set of them. */
import type { DnsAnswer } from '../../../shared/net/dns/answer.ts'

/**
 * `WARN`: something to know about what may stay as it is. `UNKNOWN`: there is no telling, because something on the way
 * to it failed.
 */
export type Result = 'OK' | 'WARN' | 'MISSING' | 'DIFFERENT' | 'UNKNOWN'

export interface RecordFinding {
  /** What it is about: `MX`, `SPF`. */
  record: string
  /** Whose it is: a name in DNS, or an address of the web. */
  name: string
  result: Result
  /** What is there, as it stands in a zone file. */
  published: readonly string[]
  /** What should be, likewise. Empty where nothing has to be changed. */
  wanted: readonly string[]
  /** Sentences. */
  says: readonly string[]
}

type Failed = Extract<DnsAnswer<unknown>, { kind: 'Failed' }>

/** A question that was not answered. What DNSSEC says not to believe is as wrong for everybody who validates. */
export function unanswered(
  about: Pick<RecordFinding, 'record' | 'name'>,
  { code, bogus }: Failed,
): RecordFinding {
  return {
    ...about,
    result: bogus ? 'DIFFERENT' : 'UNKNOWN',
    published: [],
    wanted: [],
    says: [
      bogus
        ? 'DNSSEC validation fails: to everybody who validates it is as though there were no answer. The signatures of the zone, or its DS record, have to be mended.'
        : `DNS gives no answer (${code}).`,
    ],
  }
}

/** Records of a type that there may be none of. */
export const recordsIn = <T>(answer: DnsAnswer<T>): T[] => (answer.kind === 'Found' ? answer.records : [])

/** The worst of several. */
export function worst(results: readonly Result[]): Result {
  const order: readonly Result[] = ['DIFFERENT', 'MISSING', 'UNKNOWN', 'WARN']
  return order.find((result) => results.includes(result)) ?? 'OK'
}
