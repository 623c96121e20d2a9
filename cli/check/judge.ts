/** From what was seen to what is said of it. Pure. */
import { certificateLines } from './certificate-lines.ts'
import { chainLines } from './chain-lines.ts'
import { issuerLines, revocationLines } from './endpoint-lines.ts'
import type { Facts } from './facts.ts'
import type { Finding } from './finding.ts'
import { nameLine } from './name-line.ts'
import { serverLines } from './server-lines.ts'

export function judge({ at, server, certificates, expected }: Facts): Finding[] {
  return [
    ...(server ? serverLines(server) : []),
    ...(certificates
      ? [
          ...certificateLines(certificates, at),
          ...chainLines(certificates, at),
          nameLine(certificates, expected, at),
          ...revocationLines(certificates),
          ...issuerLines(certificates),
        ]
      : []),
  ]
}
