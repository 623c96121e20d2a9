/**
 * `npx mailflow check --conformance HOST`: compares a server's TLS with published standards. `shared/conformance/`
 * measures and compares, for the API too.
 */
import type { X509Certificate } from 'node:crypto'
import { certificateConformanceFacts } from '../../../shared/conformance/certificate-facts.ts'
import { type ConformanceResult, Verdict } from '../../../shared/conformance/criterion.ts'
import type { TlsServerFacts } from '../../../shared/conformance/facts.ts'
import { measureServer } from '../../../shared/conformance/measure-server.ts'
import { referenceText } from '../../../shared/conformance/server-results.ts'
import { printable } from '../../text/format.ts'
import { ehloName } from '../facts/delivery-session.ts'
import type { Facts } from '../facts/facts.ts'
import type { Target } from '../target.ts'

/**
 * Measures the server whose session is in `facts`. Never throws.
 * @returns null when the server offers no TLS or was not reached
 */
export async function gatherServerConformance(
  { server, certificates, expected }: Facts,
  { host, port }: Target,
  timeout: number,
): Promise<TlsServerFacts | null> {
  const attempt = server?.attempts.at(-1)
  if (attempt?.outcome.kind !== 'Tls' || attempt.outcome.tls.kind === 'NotOffered') return null
  const measured = await measureServer(
    { host, ip: attempt.ip, port },
    { serverName: expected, timeout, ehloName: ehloName() },
  )
  if (!certificates) return measured
  const { presented, trust, staple } = certificates
  const chain = presented as [X509Certificate, ...X509Certificate[]]
  const presentedCertificate = { chain, isTrusted: trust.trusted, isStapled: staple !== null }
  return { ...measured, certificate: certificateConformanceFacts(presentedCertificate, expected) }
}

export const conformanceText = (results: readonly ConformanceResult[]): string =>
  `${[...conformanceLines(results), '', countsText(results)].join('\n')}\n`

export function conformanceLines(results: readonly ConformanceResult[]): string[] {
  const width = Math.max(...results.map(({ id }) => id.length))
  return results.map(({ verdict, id, seen, references, advice }) =>
    printable(
      [
        `${verdict.padEnd(14)}  ${id.padEnd(width)}  ${seen}`,
        ` [${references.map(referenceText).join('; ')}]`,
        advice === null ? '' : ` → ${advice}`,
      ].join(''),
    ),
  )
}

export const countsText = (results: readonly ConformanceResult[]): string =>
  Verdict.options
    .map((verdict) => `${results.filter((result) => result.verdict === verdict).length} ${verdict}`)
    .join(', ')
