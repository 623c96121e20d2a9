/** Checks for DANE (RFC 7672) that TLSA records match the served certificates. Pure. */
import type { PublishedCertificate } from '../../contract/certificates.ts'
import { hasMatchingRecord } from '../../tls/has-matching-record.ts'
import { certificateHasName } from '../../tls/names.ts'
import type { TlsaRecord } from '../../tls/requirement.ts'
import type { HostFacts } from '../facts/domain-facts.ts'
import type { Plan } from '../publication-plan.ts'
import { servedOrNext, tlsaName, tlsaValues } from '../zone-records.ts'
import { isSigned } from './assess-dnssec.ts'
import { joinNames } from './assess-mail-routing.ts'
import { failedQueryFinding, type RecordFinding, type Result, recordsOf } from './record-finding.ts'

/** @param now the time at which certificates must be valid */
export function assessTlsa(plan: Plan, facts: HostFacts, now: Date): RecordFinding {
  const { host, tlsa } = facts
  const about = { record: 'TLSA' as const, name: tlsaName(host) }
  if (tlsa.kind === 'Failed') return failedQueryFinding(about, tlsa)
  const records = recordsOf(tlsa)
  const published = records.map(textOf)
  const finding = (result: Result, ...says: string[]): RecordFinding => ({
    ...about,
    result,
    published,
    wanted: result === 'OK' || result === 'UNKNOWN' ? [] : tlsaValues(servedOrNext(plan.certificates ?? [])),
    says,
  })
  if (plan.certificates === null)
    return finding(
      'UNKNOWN',
      'The gateway has not published its certificates yet, so there is nothing to compare with.',
    )
  const signed = isSigned(facts) && tlsa.secure
  if (records.length === 0)
    return signed
      ? finding(
          'MISSING',
          'The zone is signed. With these records, senders that use DANE accept only the certificates of this gateway.',
        )
      : finding(
          'WARN',
          'There is no TLSA record, and senders would ignore such a record: the zone is not known to be signed.',
        )
  const { faults, notes } = compare(plan.certificates, records, host, now)
  if (!signed)
    return finding(
      'WARN',
      'Senders ignore these records: the zone is not known to be signed.',
      ...faults.map((fault) => `If the zone is signed: ${fault}`),
    )
  return faults.length > 0 ? finding('DIFFERENT', ...faults, ...notes) : finding('OK', ...notes)
}

const textOf = ({ usage, selector, matchingType, data }: TlsaRecord): string =>
  `${usage} ${selector} ${matchingType} ${data}`

function compare(
  certificates: readonly PublishedCertificate[],
  records: readonly TlsaRecord[],
  host: string,
  now: Date,
): { faults: string[]; notes: string[] } {
  const unmatched = servedOrNext(certificates).filter(
    (certificate) => !hasMatchingRecord(certificate, records, host, now),
  )
  const faults = unmatched.map(faultOf)
  const superfluous = records.filter(
    (record) => !certificates.some((certificate) => hasMatchingRecord(certificate, [record], host, now)),
  )
  const deprecated = certificates.filter(({ state }) => state === 'Deprecated')
  const obsolete = records.filter(
    (record) =>
      !superfluous.includes(record) &&
      !servedOrNext(certificates).some((certificate) => hasMatchingRecord(certificate, [record], host, now)),
  )
  return {
    faults,
    notes: [
      ...(superfluous.length === 0
        ? []
        : [
            `These records can be removed, because they match no certificate of this gateway: ${joinNames(superfluous.map(textOf))}.`,
          ]),
      ...(deprecated.length === 0 || obsolete.length === 0
        ? []
        : [
            `These records can be removed, because their certificate is no longer served: ${joinNames(obsolete.map(textOf))}.`,
          ]),
    ],
  }
}

function faultOf({ state, keyType, certificateName, servedFrom }: PublishedCertificate): string {
  const title = `the ${keyType} certificate ${certificateName}`
  if (state === 'Next')
    return `No record matches ${title}, which will be served${servedFrom === null ? ' next' : ` from ${servedFrom.slice(0, 10)}`}: publish its record some days earlier.`
  return `No record matches ${title}, which is served now: senders that use DANE deliver no mail.`
}

/** MTA-STS and a partner's DomainValidation require the host's name; DANE with 3 1 1 does not. */
export function assessNames({ certificates }: Plan, host: string): RecordFinding {
  const about = { record: 'Certificate' as const, name: host }
  const finding = (result: Result, ...says: string[]) => ({
    ...about,
    result,
    published: [],
    wanted: [],
    says,
  })
  if (certificates === null)
    return finding(
      'UNKNOWN',
      'The gateway has not published its certificates yet, so there is nothing to compare with.',
    )
  const mismatched = servedOrNext(certificates).filter(
    ({ subjectAltNames }) => !certificateHasName({ subjectAltNames, commonName: null }, [host]),
  )
  if (mismatched.length === 0)
    return finding('OK', 'The certificates of the gateway are valid for this name.')
  return finding(
    'DIFFERENT',
    ...mismatched.map(
      ({ state, keyType, subjectAltNames }) =>
        `The ${keyType} certificate that is served ${state === 'Next' ? 'next' : 'now'} is for ${joinNames(subjectAltNames) || 'no host'}, not for ${host}: senders that use MTA-STS deliver no mail to this host.`,
    ),
  )
}
