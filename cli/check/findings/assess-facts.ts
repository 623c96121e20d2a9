/** Assesses facts. Each finding is one line of the output, in the same order. Pure. */

import type { Facts } from '../facts/facts.ts'
import { certificateFindings } from './certificate-findings.ts'
import { chainFindings } from './chain-findings.ts'
import { issuerFindings, revocationFindings } from './endpoint-findings.ts'
import type { Finding } from './finding.ts'
import { nameFinding } from './name-finding.ts'
import { serverFindings } from './server-findings.ts'

export function assessFacts({ at, server, certificates, expected }: Facts): Finding[] {
  return [
    ...(server ? serverFindings(server) : []),
    ...(certificates
      ? [
          ...certificateFindings(certificates, at),
          ...chainFindings(certificates, at),
          nameFinding(certificates, expected, at),
          ...revocationFindings(certificates),
          ...issuerFindings(certificates),
        ]
      : []),
  ]
}
