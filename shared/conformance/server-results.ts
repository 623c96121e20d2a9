/** Compares the measured facts about a server with the criteria for servers and their certificates. Pure. */
import { certificateCriteria } from './certificate-criteria.ts'
import { type ConformanceResult, compare, type Reference } from './criterion.ts'
import type { TlsServerFacts } from './facts.ts'
import { serverCriteria } from './server-criteria.ts'

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
]

export const referenceText = ({ standard, clause, level }: Reference): string =>
  `${standard} ${clause}: ${level}`
