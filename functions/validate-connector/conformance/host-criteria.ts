/** The criteria of a measured host, as the API returns them. Pure. */
import { certificateCriteria } from '../../../shared/conformance/certificate-criteria.ts'
import { clientCriteria } from '../../../shared/conformance/client-criteria.ts'
import { type ConformanceResult, compare } from '../../../shared/conformance/criterion.ts'
import { deviations } from '../../../shared/conformance/deviations.ts'
import type { ConformanceCriterion } from '../../../shared/conformance/domain-conformance.ts'
import type { TlsServerFacts } from '../../../shared/conformance/facts.ts'
import { recordedFacts } from '../../../shared/conformance/recorded-facts.ts'
import { serverResults } from '../../../shared/conformance/server-results.ts'
import type { HostMeasurement } from './measure-host.ts'

const certificateIds = new Set<string>(certificateCriteria.map(({ id }) => id))

const noFacts: TlsServerFacts = {
  versions: null,
  suites: { tls12: null, tls13: null },
  groups: { tls12: null, tls13: null },
  serverOrderDecides: null,
  dhBits: null,
  weakSignatures: null,
  hello: null,
  clientRenegotiation: null,
  ticket: null,
  certificate: null,
}

type Source = ConformanceCriterion['source']

/**
 * A gateway is of this version, so the facts that were recorded for this version apply where its handshakes show nothing,
 * or where it cannot be reached from here. They say nothing about its certificate.
 */
export function hostCriteria(measurement: HostMeasurement): ConformanceCriterion[] {
  const { host, isGateway, state, facts, detail } = measurement
  const describe = (result: ConformanceResult, source: Source): ConformanceCriterion => ({
    ...result,
    references: [...result.references],
    advice: (isGateway && result.advice !== null && deviations[result.id]) || result.advice,
    subject: certificateIds.has(result.id) ? 'Certificate' : 'Host',
    host,
    source,
  })
  const isMeasured = state !== 'NotMeasured'
  const results: ConformanceResult[] = isMeasured
    ? serverResults(facts)
    : serverResults(noFacts).map((result) => ({ ...result, ...notMeasuredBecause(detail) }))
  const recorded = new Map(serverResults(recordedFacts.server).map((result) => [result.id, result]))
  return results.map((result) => {
    if (result.verdict !== 'NOT MEASURED') return describe(result, 'Handshakes')
    const known = isGateway && !certificateIds.has(result.id) ? recorded.get(result.id) : undefined
    return known ? describe(known, 'Recorded') : describe(result, 'None')
  })
}

const notMeasuredBecause = (detail: string | null) => ({
  verdict: 'NOT MEASURED' as const,
  seen: detail ?? 'the host was not measured',
  advice: null,
})

/** The TLS of mailflow as a client is that of its version. */
export const deliveryCriteria = (): ConformanceCriterion[] =>
  compare(clientCriteria, recordedFacts.client).map((result) => ({
    ...result,
    references: [...result.references],
    advice: (result.advice !== null && deviations[result.id]) || result.advice,
    subject: 'Deliveries',
    host: null,
    source: 'Recorded',
  }))
