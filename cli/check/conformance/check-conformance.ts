/**
 * `npx mailflow check --conformance HOST`: compares a server's TLS with published standards. `measure-server.ts`
 * measures, `…-criteria.ts` hold the criteria, and `criterion.ts` compares. All but the measurement is pure.
 */
import type { X509Certificate } from 'node:crypto'
import { dayMs } from '../../../shared/contract/durations.ts'
import { certificateHasName, commonNameOf, dnsNames } from '../../../shared/tls/names.ts'
import { readRevocationEndpoints } from '../../../shared/tls/revocation/endpoints.ts'
import { validFrom, validTo } from '../../../shared/tls/validity.ts'
import { printable } from '../../text/format.ts'
import { isSelfSigned, keyOf } from '../facts/certificate-path.ts'
import type { CertificateFacts, Facts } from '../facts/facts.ts'
import { signatureName } from '../findings/algorithm-names.ts'
import type { Target } from '../target.ts'
import { certificateCriteria } from './certificate-criteria.ts'
import { type ConformanceResult, compare, type Reference, type Verdict } from './criterion.ts'
import { customerResults } from './customer-criteria.ts'
import type { CertificateConformanceFacts, TlsServerFacts } from './facts.ts'
import { measureServer } from './measure-server.ts'
import { serverCriteria } from './server-criteria.ts'

/**
 * Measures the server whose session is in `facts`. Never throws.
 * @returns null when the server offers no TLS or was not reached
 */
export async function gatherServerConformance(
  facts: Facts,
  { host, port }: Target,
  timeout: number,
): Promise<TlsServerFacts | null> {
  const attempt = facts.server?.attempts.at(-1)
  if (attempt?.outcome.kind !== 'Tls' || attempt.outcome.tls.kind === 'NotOffered') return null
  const measured = await measureServer(
    { host, ip: attempt.ip, port },
    { serverName: facts.expected, timeout },
  )
  return {
    ...measured,
    certificate: facts.certificates && certificateConformanceFacts(facts.certificates, facts.expected),
  }
}

function certificateConformanceFacts(
  { presented, trust, staple }: CertificateFacts,
  expected: string | null,
): CertificateConformanceFacts {
  const [leaf] = presented as [X509Certificate]
  const chain = presented.filter((certificate) => certificate === leaf || !isSelfSigned(certificate))
  const names = { subjectAltNames: dnsNames(leaf.subjectAltName ?? ''), commonName: commonNameOf(leaf) }
  return {
    keys: chain.map(keyText),
    signatures: chain.map(signatureName),
    isTrusted: trust.trusted,
    hasName: expected !== null && certificateHasName(names, [expected]),
    lifetimeDays: Math.round((validTo(leaf).getTime() - validFrom(leaf).getTime()) / dayMs),
    namesOcspResponder: readRevocationEndpoints(leaf).ocsp.length > 0,
    isStapled: staple !== null,
  }
}

/** `RSA 2048`, a curve's name, or the type of another key. A server may present a key that OpenSSL cannot read. */
function keyText(certificate: X509Certificate): string {
  const key = keyOf(certificate)
  if (key === null) return 'unreadable'
  const { asymmetricKeyType, asymmetricKeyDetails } = key
  if (asymmetricKeyType?.startsWith('rsa')) return `RSA ${asymmetricKeyDetails?.modulusLength ?? 0}`
  return asymmetricKeyDetails?.namedCurve ?? asymmetricKeyType ?? 'unknown'
}

const startTls = (isOffered: boolean): ConformanceResult => ({
  id: 'starttls',
  requirement: 'STARTTLS is offered',
  references: [{ standard: 'internet.nl 1.11', clause: 'STARTTLS', level: 'must' }],
  verdict: isOffered ? 'PASS' : 'FAIL',
  seen: isOffered ? 'offered' : 'not offered, or the server was not reached',
  advice: isOffered ? null : 'See `npx mailflow check HOST`',
})

/** @param facts null when the server offers no TLS */
export const serverResults = (facts: TlsServerFacts | null): ConformanceResult[] => [
  startTls(facts !== null),
  ...(facts ? compare([...serverCriteria, ...certificateCriteria], facts) : []),
  ...customerResults,
]

export const referenceText = ({ standard, clause, level }: Reference): string =>
  `${standard} ${clause}: ${level}`

const verdicts: readonly Verdict[] = ['PASS', 'WARN', 'FAIL', 'CUSTOMER', 'NOT APPLICABLE', 'NOT MEASURED']

export function conformanceText(results: readonly ConformanceResult[]): string {
  const width = Math.max(...results.map(({ id }) => id.length))
  const lines = results.map(({ verdict, id, seen, references, advice }) =>
    printable(
      [
        `${verdict.padEnd(14)}  ${id.padEnd(width)}  ${seen}`,
        ` [${references.map(referenceText).join('; ')}]`,
        advice === null ? '' : ` → ${advice}`,
      ].join(''),
    ),
  )
  const counts = verdicts.map(
    (verdict) => `${results.filter((result) => result.verdict === verdict).length} ${verdict}`,
  )
  return `${[...lines, '', counts.join(', ')].join('\n')}\n`
}
