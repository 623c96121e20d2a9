import { readFileSync } from 'node:fs'
import { certificateCriteria } from '../../cli/check/conformance/certificate-criteria.ts'
import { referenceText, serverResults } from '../../cli/check/conformance/check-conformance.ts'
import { clientCriteria } from '../../cli/check/conformance/client-criteria.ts'
import { type ConformanceResult, type Criterion, compare } from '../../cli/check/conformance/criterion.ts'
import { serverCriteria } from '../../cli/check/conformance/server-criteria.ts'
import { type MeasuredFacts, recordedFactsFile } from '../support/conformance.ts'
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
  server: serverResults(server)
    .map((result) => (certificateIds.has(result.id) ? asCustomers(result) : result))
    .map(withMethod),
  client: compare(clientCriteria, client).map(withMethod),
})

const brainpool =
  'Only this guideline requires brainpoolP256r1; secp256r1 is offered. Node.js 24 may crash at a certificate on such a curve.'

/** Criteria that mailflow does not meet, each with its reason. */
export const deviations: Readonly<Record<string, string>> = {
  'groups-bsi':
    'Mozilla and internet.nl permit X25519; its hybrid with ML-KEM protects recorded mail from quantum computers.',
  'groups-bsi-required': brainpool,
  'client-suites-cbc':
    'Without authenticated encryption; internet.nl wants servers to phase these suites out.',
  'client-groups-required': brainpool,
  'client-certificate-status':
    'A connector can have deliveries check revocation: they fetch CRLs and OCSP responses themselves.',
}

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

const standards = [
  [
    'internet.nl 1.11',
    "internet.nl's test of mail servers, release 1.11.2, with NCSC's guidelines for TLS of 2025",
    'https://github.com/internetstandards/Internet.nl',
  ],
  ['TR-02102-2', 'BSI, cryptographic mechanisms: TLS', 'https://github.com/BSI-Bund/TaSK'],
  [
    'TR-03116-4',
    'BSI, communication of applications; TR-03108-1 (secure e-mail transport) refers to it for TLS',
    'https://github.com/BSI-Bund/TaSK',
  ],
  [
    'TR-03108-1',
    'BSI, secure e-mail transport',
    'https://www.bsi.bund.de/DE/Publikationen/TechnischeRichtlinien/tr03108/index_htm.html',
  ],
  ['SP 800-52r2', 'NIST, guidelines for TLS implementations', 'https://doi.org/10.6028/NIST.SP.800-52r2'],
  [
    'Mozilla 5.7',
    "Mozilla's server-side TLS, intermediate configuration",
    'https://ssl-config.mozilla.org/guidelines/5.7.json',
  ],
  ['RFC 8460, RFC 8461', 'TLS reports, MTA-STS', 'https://www.rfc-editor.org/rfc/rfc8461'],
]

const readRecordedFacts = (): MeasuredFacts => JSON.parse(readFileSync(recordedFactsFile, 'utf8'))

export function conformancePage(): string {
  const { server, client } = rowsFor(readRecordedFacts())
  return page(
    'Conformance with published standards',
    '`test/docs/conformance-facts.json`, which `node test/support/conformance.ts` measures, and `cli/check/conformance/`',
    '`test/peers/conformance.test.ts` measures again and compares every verdict. `npx mailflow check --conformance HOST` compares any server.',
    [
      '- `PASS`: met. `FAIL`: a requirement (`must`) is not met. `WARN`: a recommendation (`should`, `optional`) is not met.',
      '- `CUSTOMER`: your certificate, DNS or network decides. `NOT APPLICABLE`: the condition of the requirement is not met.',
      "- `must` stands for required, shall, forbidden, or internet.nl's FAIL; `should` for recommended, to be phased out, or internet.nl's NOTICE; `optional` for internet.nl's INFO.",
    ].join('\n'),
    table(['Standard', 'Title', 'Source'], standards),
    '## The ingress',
    tableOf(server),
    '## Deliveries',
    'What each level of a connector does with a server that does not conform: [TLS levels](tls-levels.md).',
    tableOf(client),
  )
}
