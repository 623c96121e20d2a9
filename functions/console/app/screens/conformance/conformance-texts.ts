/** The conformance of a domain by standard, in words and as CSV. Pure. */
import { type StandardTitle, standards } from '../../../../../shared/conformance/standards.ts'
import { type CsvValue, csvText } from '../../../../../shared/http-api/csv.ts'
import type { DomainConformance } from '../../api/types.ts'

export type Criterion = DomainConformance['criteria'][number]
export type Verdict = Criterion['verdict']
export type Reference = Criterion['references'][number]
type Level = Reference['level']

/** What a verdict means for one standard, whose level may be lower than that of another. */
export type Outcome = 'Met' | 'NotMet' | 'RecommendationNotMet' | 'Yours' | 'NotApplicable' | 'NotMeasured'

export const outcomes: readonly Outcome[] = [
  'Met',
  'NotMet',
  'RecommendationNotMet',
  'Yours',
  'NotMeasured',
  'NotApplicable',
]

type Indication = 'success' | 'error' | 'warning' | 'info' | 'pending' | 'not-started'

export const outcomeTexts: Readonly<Record<Outcome, { label: string; indication: Indication }>> = {
  Met: { label: 'Met', indication: 'success' },
  NotMet: { label: 'Not met', indication: 'error' },
  RecommendationNotMet: { label: 'Recommendation not met', indication: 'warning' },
  Yours: { label: 'Depends on others', indication: 'info' },
  NotMeasured: { label: 'Not measured', indication: 'pending' },
  NotApplicable: { label: 'Not applicable', indication: 'not-started' },
}

export function outcomeOf(verdict: Verdict, level: Level): Outcome {
  switch (verdict) {
    case 'PASS':
      return 'Met'
    case 'FAIL':
    case 'WARN':
      return level === 'must' ? 'NotMet' : 'RecommendationNotMet'
    case 'CUSTOMER':
      return 'Yours'
    case 'NOT APPLICABLE':
      return 'NotApplicable'
    case 'NOT MEASURED':
      return 'NotMeasured'
  }
}

/** One criterion as one standard states it. */
export interface StandardRow extends Omit<Criterion, 'references' | 'verdict'> {
  key: string
  standard: Reference['standard']
  /** Clauses with their levels. */
  clauses: string
  outcome: Outcome
}

export interface StandardGroup extends StandardTitle {
  rows: readonly StandardRow[]
  counts: Readonly<Record<Outcome, number>>
}

const levels: readonly Level[] = ['must', 'should', 'optional']

export const byStandard = ({ criteria }: Pick<DomainConformance, 'criteria'>): StandardGroup[] =>
  standards.map((standard) => {
    const rows = standard.names.flatMap((name) => criteria.flatMap((criterion) => rowsOf(criterion, name)))
    return { ...standard, rows, counts: countOutcomes(rows) }
  })

/** A criterion with two references to one standard has the stricter level. */
function rowsOf({ references, verdict, ...criterion }: Criterion, name: string): StandardRow[] {
  const own = references.filter(({ standard }) => standard === name)
  const [first] = own
  if (first === undefined) return []
  const level = levels.find((each) => own.some((reference) => reference.level === each)) ?? 'optional'
  return [
    {
      ...criterion,
      key: `${first.standard} ${criterion.id} ${criterion.host ?? ''}`,
      standard: first.standard,
      clauses: own.map((reference) => `${reference.clause}: ${reference.level}`).join('; '),
      outcome: outcomeOf(verdict, level),
    },
  ]
}

export const countOutcomes = (rows: readonly Pick<StandardRow, 'outcome'>[]) =>
  Object.fromEntries(
    outcomes.map((outcome) => [outcome, rows.filter((row) => row.outcome === outcome).length]),
  ) as Record<Outcome, number>

/** A criterion that several standards have is counted once, by the strictest. */
export const countCriteria = ({ criteria }: Pick<DomainConformance, 'criteria'>) =>
  countOutcomes(
    criteria.map(({ verdict, references }) => ({
      outcome: outcomeOf(verdict, references.some(({ level }) => level === 'must') ? 'must' : 'should'),
    })),
  )

const isOpen = ({ outcome }: StandardRow): boolean =>
  outcome === 'NotMet' || outcome === 'RecommendationNotMet'

/** @param onlyOpen only what is not met; a standard of which everything is met has no rows */
export const shownRows = (rows: readonly StandardRow[], onlyOpen: boolean): readonly StandardRow[] =>
  onlyOpen ? rows.filter(isOpen) : rows

export const sourceTexts: Readonly<Record<Criterion['source'], string>> = {
  Handshakes: 'Handshakes with the host, now',
  Dns: 'DNS, now',
  Recorded: 'Measured when this version was made',
  None: 'Not measured',
}

export const subjectText = ({ subject, host }: Pick<Criterion, 'subject' | 'host'>): string =>
  subject === 'Domain'
    ? 'Domain'
    : subject === 'Deliveries'
      ? 'mailflow as a client'
      : `${subject === 'Host' ? 'MX host' : 'Certificate of'} ${host ?? ''}`

const columns = [
  'Domain',
  'Checked',
  'Standard',
  'Clause',
  'Criterion',
  'Subject',
  'Requirement',
  'Outcome',
  'Found',
  'To do',
  'Source',
] as const

export function conformanceCsv(results: readonly DomainConformance[]): string {
  const rows = results.flatMap((result) =>
    byStandard(result).flatMap((group) => group.rows.map((row) => csvRow(result, row))),
  )
  return csvText(columns, rows)
}

const csvRow = (
  { domain, checkedAt }: DomainConformance,
  row: StandardRow,
): Record<(typeof columns)[number], CsvValue> => ({
  Domain: domain,
  Checked: checkedAt,
  Standard: row.standard,
  Clause: row.clauses,
  Criterion: row.id,
  Subject: subjectText(row),
  Requirement: row.requirement,
  Outcome: outcomeTexts[row.outcome].label,
  Found: row.seen,
  'To do': row.advice ?? '',
  Source: sourceTexts[row.source],
})
