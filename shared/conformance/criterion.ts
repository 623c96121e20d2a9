/** Criteria of published standards, and their comparison with measured facts. Pure. */
import * as z from 'zod'

/**
 * The words of the standards: `must` stands for required, shall, forbidden, and internet.nl's FAIL; `should` for
 * recommended, phase out, and internet.nl's NOTICE; `optional` for internet.nl's INFO.
 */
export const Level = z.enum(['must', 'should', 'optional'])
export type Level = z.output<typeof Level>

export interface Reference {
  readonly standard: Standard
  /** A clause, table, profile or test of the standard. */
  readonly clause: string
  readonly level: Level
}

/** Names of the standards; `standards.ts` has their full titles. */
export const Standard = z.enum([
  'internet.nl 1.11',
  'TR-02102-2',
  'TR-03108-1',
  'TR-03116-4',
  'SP 800-52r2',
  'Mozilla 5.7',
  'RFC 8460',
  'RFC 8461',
])
export type Standard = z.output<typeof Standard>

export type Assessment =
  | { readonly kind: 'Met' | 'NotMet' | 'NotApplicable'; readonly seen: string }
  | { readonly kind: 'NotMeasured' }

export interface Criterion<Facts> {
  readonly id: string
  readonly requirement: string
  readonly references: readonly Reference[]
  /** What was done to measure it. */
  readonly method: string
  readonly assess: (facts: Facts) => Assessment
  /** What to do when it is not met. */
  readonly advice: string
}

/**
 * `FAIL`: a `must` is not met. `WARN`: a `should` or optional criterion is not met. `CUSTOMER`: the customer's
 * certificate, DNS or network decides.
 */
export const Verdict = z.enum(['PASS', 'WARN', 'FAIL', 'CUSTOMER', 'NOT APPLICABLE', 'NOT MEASURED'])
export type Verdict = z.output<typeof Verdict>

export interface ConformanceResult {
  readonly id: string
  readonly requirement: string
  readonly references: readonly Reference[]
  readonly verdict: Verdict
  readonly seen: string
  /** Null when there is nothing to do. */
  readonly advice: string | null
}

export const compare = <Facts>(criteria: readonly Criterion<Facts>[], facts: Facts): ConformanceResult[] =>
  criteria.map(({ id, requirement, references, assess, advice }) => {
    const assessment = assess(facts)
    const verdict = verdictOf(assessment, references)
    return {
      id,
      requirement,
      references,
      verdict,
      seen: assessment.kind === 'NotMeasured' ? 'no handshake shows it' : assessment.seen,
      advice: verdict === 'FAIL' || verdict === 'WARN' ? advice : null,
    }
  })

export function verdictOf({ kind }: Assessment, references: readonly Reference[]): Verdict {
  if (kind === 'Met') return 'PASS'
  if (kind === 'NotApplicable') return 'NOT APPLICABLE'
  if (kind === 'NotMeasured') return 'NOT MEASURED'
  return references.some(({ level }) => level === 'must') ? 'FAIL' : 'WARN'
}

const referencesTo =
  (standard: Standard) =>
  (clause: string, level: Level): Reference => ({ standard, clause, level })

export const internetNl = referencesTo('internet.nl 1.11')
export const bsiTls = referencesTo('TR-02102-2')
export const bsiProjects = referencesTo('TR-03116-4')
export const bsiMail = referencesTo('TR-03108-1')
export const nist = referencesTo('SP 800-52r2')
export const mozilla = referencesTo('Mozilla 5.7')
export const tlsReports = referencesTo('RFC 8460')
export const mtaSts = referencesTo('RFC 8461')

export const notMeasured: Assessment = { kind: 'NotMeasured' }
export const metIf = (isMet: boolean, seen: string): Assessment => ({ kind: isMet ? 'Met' : 'NotMet', seen })
export const notApplicable = (seen: string): Assessment => ({ kind: 'NotApplicable', seen })

/** @param values those that do not meet the criterion. @param whenNone the text when it is met */
export const metIfNone = (values: readonly string[], whenNone: string): Assessment =>
  metIf(values.length === 0, values.join(', ') || whenNone)

/** A fact that is null was not measured. */
export const ifMeasured = <T>(fact: T | null, assess: (fact: T) => Assessment): Assessment =>
  fact === null ? notMeasured : assess(fact)
