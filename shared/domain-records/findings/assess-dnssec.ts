/** Checks whether the zones of the domain and of its MX hosts are signed, by the resolver's AD bit (RFC 4035). Pure. */
import type { DomainFacts, HostFacts } from '../facts/domain-facts.ts'
import type { Plan } from '../publication-plan.ts'
import { joinNames } from './assess-mail-routing.ts'
import type { RecordFinding, Result } from './record-finding.ts'

type ZoneState = 'Signed' | 'Unsigned' | 'Bogus' | 'NoAddress' | 'Failed'

export function assessDnssec({ domain, instructions }: Plan, facts: DomainFacts): RecordFinding {
  const finding = (result: Result, ...says: string[]): RecordFinding => ({
    record: 'DNSSEC',
    name: domain,
    result,
    published: [],
    wanted: [],
    says,
    optional: true,
  })
  const states = [
    [domain, stateOf([facts.mx])] as const,
    ...facts.hosts.map((host) => [host.host, hostStateOf(host)] as const),
  ]
  const namesIn = (wanted: ZoneState) => states.filter(([, state]) => state === wanted).map(([name]) => name)
  const [signed, unsigned, bogus] = [namesIn('Signed'), namesIn('Unsigned'), namesIn('Bogus')]
  if (bogus.length > 0)
    return finding(
      'DIFFERENT',
      `DNSSEC validation fails for ${joinNames(bogus)}: validating resolvers reject the answers.`,
    )
  if (facts.isResolverValidating === null)
    return finding(
      'UNKNOWN',
      'The resolver answered no query, so it is unknown whether the zones are signed, and whether the resolver validates DNSSEC.',
    )
  if (!facts.isResolverValidating)
    return finding(
      'UNKNOWN',
      `The resolver does not validate DNSSEC, so it is unknown whether the zones are signed. Use ${instructions.dnssecResolver}.`,
    )
  const unknown = [
    ...namesIn('NoAddress').map((name) => `${name} has no address, so it is unknown whether it is signed.`),
    ...namesIn('Failed').map(
      (name) => `The query for ${name} failed, so it is unknown whether it is signed.`,
    ),
  ]
  if (unsigned.length > 0)
    return finding(
      'WARN',
      `Not signed, according to the resolver: ${joinNames(unsigned)}. Senders ignore TLSA records in unsigned zones; MTA-STS does not need DNSSEC.`,
      ...(signed.length > 0 ? [`Signed: ${joinNames(signed)}.`] : []),
      'To sign a zone, enable DNSSEC where the zone is hosted, then publish its DS record at the registrar.',
      ...unknown,
    )
  if (unknown.length > 0) return finding(namesIn('NoAddress').length > 0 ? 'WARN' : 'UNKNOWN', ...unknown)
  return finding('OK', 'The resolver validated the signed answers for the domain and its hosts.')
}

/** Whether DNSSEC proves the addresses of a host. */
export const isSigned = (host: HostFacts): boolean => hostStateOf(host) === 'Signed'

function hostStateOf({ a, aaaa }: HostFacts): ZoneState {
  const found = [a, aaaa].filter((answer) => answer.kind === 'Found')
  if (found.length > 0) return stateOf(found)
  return [a, aaaa].some((answer) => answer.kind === 'Failed') ? stateOf([a, aaaa]) : 'NoAddress'
}

function stateOf(answers: readonly (DomainFacts['mx'] | HostFacts['a'])[]): ZoneState {
  const failed = answers.filter((answer) => answer.kind === 'Failed')
  if (failed.length > 0) return failed.some(({ bogus }) => bogus) ? 'Bogus' : 'Failed'
  return answers.every((answer) => answer.kind !== 'Failed' && answer.secure) ? 'Signed' : 'Unsigned'
}
