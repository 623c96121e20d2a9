import { certificateCriteria } from '../../shared/conformance/certificate-criteria.ts'
import { clientCriteria } from '../../shared/conformance/client-criteria.ts'
import { type ConformanceResult, type Criterion, compare } from '../../shared/conformance/criterion.ts'
import { customerResults } from '../../shared/conformance/customer-criteria.ts'
import { deviations } from '../../shared/conformance/deviations.ts'
import type { MeasuredFacts } from '../../shared/conformance/facts.ts'
import { recordedFacts } from '../../shared/conformance/recorded-facts.ts'
import { serverCriteria } from '../../shared/conformance/server-criteria.ts'
import { referenceText, serverResults } from '../../shared/conformance/server-results.ts'
import { standards } from '../../shared/conformance/standards.ts'
import { code, page, table } from './markdown.ts'

export interface ConformanceRow extends ConformanceResult {
  method: string
}

const certificateIds = new Set<string>(certificateCriteria.map(({ id }) => id))
const methods = new Map<string, string>(
  [...serverCriteria, ...certificateCriteria, ...clientCriteria].map(
    ({ id, method }: Pick<Criterion<never>, 'id' | 'method'>) => [id, method],
  ),
)

/** The certificate of the measurement is a test's: the customer's certificate decides these criteria. */
const asCustomers = (result: ConformanceResult): ConformanceResult => ({
  ...result,
  verdict: 'CUSTOMER',
  seen: 'depends on the installed certificate',
  advice: `${code('npx mailflow check --conformance HOST')} shows it`,
})

const withMethod = (result: ConformanceResult): ConformanceRow => ({
  ...result,
  method:
    methods.get(result.id) ?? (result.id === 'starttls' ? 'session up to the handshake' : 'not measured'),
})

export const rowsFor = ({ server, client }: MeasuredFacts) => ({
  server: [...serverResults(server), ...customerResults]
    .map((result) => (certificateIds.has(result.id) ? asCustomers(result) : result))
    .map(withMethod),
  client: compare(clientCriteria, client).map(withMethod),
})

const tableOf = (rows: readonly ConformanceRow[]): string =>
  table(
    [
      'Criterion',
      'Requirement',
      'Standard and level',
      'Verdict',
      'Measured',
      'How measured',
      'To do, or reason',
    ],
    rows.map(({ id, requirement, references, verdict, seen, method, advice }) => [
      code(id),
      requirement,
      references.map(referenceText).join('; '),
      verdict,
      seen,
      method,
      deviations[id] ?? advice ?? '',
    ]),
  )

export function conformancePage(): string {
  const { server, client } = rowsFor(recordedFacts)
  return page(
    'Conformance with published standards',
    '`shared/conformance/`, whose `recorded-facts.ts` `node test/support/conformance.ts` measures',
    '`test/peers/conformance.test.ts` measures again and compares every verdict. `npx mailflow check --conformance HOST` compares any server.',
    [
      '- `PASS`: met. `FAIL`: a requirement (`must`) is not met. `WARN`: a recommendation (`should`, `optional`) is not met.',
      '- `CUSTOMER`: your certificate, DNS or network decides. `NOT APPLICABLE`: the condition of the requirement is not met.',
      "- `must` stands for required, shall, forbidden, or internet.nl's FAIL; `should` for recommended, to be phased out, or internet.nl's NOTICE; `optional` for internet.nl's INFO.",
    ].join('\n'),
    table(
      ['Standard', 'Title', 'Source'],
      standards.map(({ names, title, url }) => [names.join(', '), title, url]),
    ),
    '## The ingress',
    tableOf(server),
    '## Deliveries',
    'What each level of a connector does with a server that does not conform: [TLS levels](tls-levels.md).',
    tableOf(client),
  )
}
