/** DANE (RFC 7672): checks that zones are signed and that TLSA records match the served certificates. Pure. */
import { X509Certificate } from 'node:crypto'
import type { PublishedCertificate } from '../../../shared/contract/certificates.ts'
import { isUsable, matchesTlsa } from '../../../shared/tls/dane.ts'
import { certificateHasName } from '../../../shared/tls/names.ts'
import { certificatesIn } from '../../../shared/tls/pem.ts'
import type { TlsaRecord } from '../../../shared/tls/requirement.ts'
import type { DomainFacts, HostFacts } from '../facts/domain-facts.ts'
import type { Plan } from '../publication-plan.ts'
import { servedOf, tlsaName, tlsaValues } from '../zone-records.ts'
import { listed } from './assess-mail-routing.ts'
import { failedQueryFinding, type RecordFinding, type Result, recordsOf } from './record-finding.ts'

export function assessDnssec(
  { domain }: Plan,
  { mx, hosts, isResolverValidating }: DomainFacts,
): RecordFinding {
  const about = { record: 'DNSSEC', name: domain }
  const unsigned = [
    ...(mx.kind !== 'Failed' && !mx.secure ? [domain] : []),
    ...hosts.filter((each) => !isSigned(each)).map(({ host }) => host),
  ]
  const of = (result: Result, ...says: string[]) => ({ ...about, result, published: [], wanted: [], says })
  if (!isResolverValidating)
    return of(
      'WARN',
      'The resolver does not validate DNSSEC, so it is unknown whether the zones are signed. Use a validating resolver: --dns-server tls://9.9.9.9#dns.quad9.net, or one of your own.',
    )
  if (unsigned.length > 0)
    return of(
      'WARN',
      `Not signed, according to the resolver: ${listed(unsigned)}. Senders ignore TLSA records in unsigned zones; MTA-STS does not need DNSSEC.`,
    )
  return of('OK', 'The resolver validated the signed answers for the domain and its hosts.')
}

const isSigned = ({ a, aaaa }: HostFacts): boolean => {
  const answers = [a, aaaa].filter((answer) => answer.kind === 'Found')
  return answers.length > 0 && answers.every(({ secure }) => secure)
}

/** @param now the time at which certificates must be valid */
export function assessTlsa(plan: Plan, facts: HostFacts, now: Date): RecordFinding {
  const { host, tlsa } = facts
  const about = { record: 'TLSA', name: tlsaName(host) }
  if (tlsa.kind === 'Failed') return failedQueryFinding(about, tlsa)
  const records = recordsOf(tlsa)
  const published = records.map(textOf)
  const of = (result: Result, ...says: string[]): RecordFinding => ({
    ...about,
    result,
    published,
    wanted: result === 'OK' || result === 'UNKNOWN' ? [] : tlsaValues(servedOf(plan.certificates ?? [])),
    says,
  })
  if (plan.certificates === null)
    return of(
      'UNKNOWN',
      'The gateway has not published its certificates yet, so there is nothing to compare with.',
    )
  const signed = isSigned(facts) && tlsa.secure
  if (records.length === 0)
    return signed
      ? of(
          'MISSING',
          'The zone is signed. With these records, senders that use DANE accept only the certificates of this gateway.',
        )
      : of(
          'WARN',
          'There is no TLSA record, and senders would ignore one: the zone is not known to be signed.',
        )
  const { faults, notes } = compare(plan.certificates, records, host, now)
  if (!signed)
    return of(
      'WARN',
      'Senders ignore it: the zone is not known to be signed.',
      ...faults.map((fault) => `If the zone is signed: ${fault}`),
    )
  return faults.length > 0 ? of('DIFFERENT', ...faults, ...notes) : of('OK', ...notes)
}

const textOf = ({ usage, selector, matchingType, data }: TlsaRecord): string =>
  `${usage} ${selector} ${matchingType} ${data}`

function compare(
  certificates: readonly PublishedCertificate[],
  records: readonly TlsaRecord[],
  host: string,
  now: Date,
): { faults: string[]; notes: string[] } {
  const usable = records.filter(isUsable)
  const unmatched = servedOf(certificates).filter((each) => !hasMatchingRecord(each, usable, host, now))
  const faults = unmatched.map(faultOf)
  const superfluous = records.filter(
    (record) => !certificates.some((each) => hasMatchingRecord(each, [record].filter(isUsable), host, now)),
  )
  const deprecated = certificates.filter(({ state }) => state === 'Deprecated')
  const obsolete = records.filter(
    (record) =>
      !superfluous.includes(record) &&
      !servedOf(certificates).some((each) => hasMatchingRecord(each, [record], host, now)),
  )
  return {
    faults,
    notes: [
      ...(superfluous.length === 0
        ? []
        : [
            `It matches no certificate of this gateway and can be removed: ${listed(superfluous.map(textOf))}.`,
          ]),
      ...(deprecated.length === 0 || obsolete.length === 0
        ? []
        : [
            `It matches a certificate that is no longer served and can be removed: ${listed(obsolete.map(textOf))}.`,
          ]),
    ],
  }
}

function hasMatchingRecord(
  { chain, subjectAltNames, validFrom }: PublishedCertificate,
  records: readonly TlsaRecord[],
  host: string,
  now: Date,
): boolean {
  if (records.length === 0) return false
  const ders = certificatesIn(chain).map((pem) => new X509Certificate(pem).raw.toString('base64'))
  // The next certificate may not be valid yet.
  const at = new Date(Math.max(now.getTime(), Date.parse(validFrom)))
  return matchesTlsa(records, ders, { subjectAltNames, commonName: null }, [host], at)
}

function faultOf({ state, keyType, certificateName, servedFrom }: PublishedCertificate): string {
  const which = `the ${keyType} certificate ${certificateName}`
  if (state === 'Next')
    return `No record matches ${which}, which will be served${servedFrom === null ? ' next' : ` from ${servedFrom.slice(0, 10)}`}: publish one some days before.`
  return `No record matches ${which}, which is served now: senders that use DANE deliver no mail.`
}

/** MTA-STS and a partner's DomainValidation require the host's name; DANE with 3 1 1 does not. */
export function assessNames({ certificates }: Plan, host: string): RecordFinding {
  const about = { record: 'Certificate', name: host }
  const of = (result: Result, ...says: string[]) => ({ ...about, result, published: [], wanted: [], says })
  if (certificates === null)
    return of(
      'UNKNOWN',
      'The gateway has not published its certificates yet, so there is nothing to compare with.',
    )
  const others = servedOf(certificates).filter(
    ({ subjectAltNames }) => !certificateHasName({ subjectAltNames, commonName: null }, [host]),
  )
  if (others.length === 0) return of('OK', 'The certificates of the gateway are valid for this name.')
  return of(
    'DIFFERENT',
    ...others.map(
      ({ state, keyType, subjectAltNames }) =>
        `The ${keyType} certificate that is served ${state === 'Next' ? 'next' : 'now'} is for ${listed(subjectAltNames) || 'no host'}, not for ${host}: senders that use MTA-STS deliver no mail there.`,
    ),
  )
}
