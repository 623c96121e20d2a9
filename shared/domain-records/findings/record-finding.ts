/** A finding about one DNS record, or one set of records. */
import * as z from 'zod'
import type { DnsAnswer } from '../../net/dns/answer.ts'

/**
 * `ADVICE`: mail works without the record, but it is recommended. `WARN`: the record may stay, but the sentences describe
 * a risk. `UNKNOWN`: the check was not possible.
 */
export const Result = z.enum(['OK', 'ADVICE', 'WARN', 'MISSING', 'DIFFERENT', 'UNKNOWN'])
export type Result = z.output<typeof Result>

/** What a finding is about. */
export const RecordKind = z.enum([
  'Accepted domain',
  'MX',
  'Address',
  'IPv6',
  'Certificate',
  'CAA',
  'SPF',
  'DKIM',
  'DMARC',
  'MTA-STS policy',
  'MTA-STS',
  'TLS-RPT',
  'DNSSEC',
  'TLSA',
])
export type RecordKind = z.output<typeof RecordKind>

export interface RecordFinding {
  record: RecordKind
  /** The record's name in DNS, or the policy's URL. */
  name: string
  result: Result
  /** The published values, in zone file syntax. */
  published: readonly string[]
  /** The values to publish; empty when nothing must change. */
  wanted: readonly string[]
  /** Sentences for the administrator. */
  says: readonly string[]
  /** True: mail works without the record, so `UNKNOWN` has no effect on the exit status. */
  optional?: true
}

type FailedAnswer = Extract<DnsAnswer<unknown>, { kind: 'Failed' }>

/**
 * Returns the finding for a failed query. A bogus answer (DNSSEC) is `DIFFERENT`, because every validating resolver
 * rejects it.
 */
export function failedQueryFinding(
  about: Pick<RecordFinding, 'record' | 'name'>,
  { code, bogus }: FailedAnswer,
): RecordFinding {
  return {
    ...about,
    result: bogus ? 'DIFFERENT' : 'UNKNOWN',
    published: [],
    wanted: [],
    says: [
      bogus
        ? 'DNSSEC validation fails, so validating resolvers reject the answer. Fix the signatures of the zone, or its DS record.'
        : `The DNS query failed (${code}).`,
    ],
  }
}

/** Returns the records, or an empty list. */
export const recordsOf = <T>(answer: DnsAnswer<T>): T[] => (answer.kind === 'Found' ? answer.records : [])

export function worstResult(findings: readonly RecordFinding[]): Result {
  const results = findings
    .filter(({ result, optional }) => !(optional && result === 'UNKNOWN'))
    .map(({ result }) => result)
  const order: readonly Result[] = ['DIFFERENT', 'MISSING', 'UNKNOWN', 'WARN', 'ADVICE']
  return order.find((result) => results.includes(result)) ?? 'OK'
}
