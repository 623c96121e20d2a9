/**
 * Checks that the CAA records (RFC 8659) of the MX hosts and of the policy host permit the CAs that issue their
 * certificates. Pure.
 */
import type { CaaFacts } from '../facts/caa-search.ts'
import type { DomainFacts } from '../facts/domain-facts.ts'
import type { Plan } from '../publication-plan.ts'
import { policyHostOf, servedOrNext } from '../zone-records.ts'
import { joinNames } from './assess-mail-routing.ts'
import { caaText, readCaaPolicy } from './caa-policy.ts'
import { amazon, type CertificateAuthority, issuerOf } from './certificate-authorities.ts'
import { failedQueryFinding, type RecordFinding, type Result } from './record-finding.ts'

/** A host, and the CA that issues its certificates. */
interface HostAuthority {
  host: string
  authority: CertificateAuthority
  /** False when AWS may not serve the host; then `authority` is the CA that AWS would use. */
  isKnown: boolean
}

/** Returns one finding for each set of records: hosts of one zone usually share it. */
export function assessCaa(plan: Plan, facts: DomainFacts): RecordFinding[] {
  const authorities = authoritiesOf(plan, facts)
  const groups = Map.groupBy(facts.caa, (each) => groupKey(plan.domain, each))
  return [...groups.values()].map((group) => {
    const [first] = group
    const hosts = group.map(({ host }) => host)
    const needed = authorities.filter(({ host }) => hosts.includes(host))
    const finding = assessGroup(plan.domain, first as CaaFacts, hosts, needed)
    return { ...finding, optional: true }
  })
}

const isBelow = (host: string, domain: string): boolean => host === domain || host.endsWith(`.${domain}`)

/** The name at which records for the host are best published. */
const zoneOf = (domain: string, host: string): string => (isBelow(host, domain) ? domain : host)

const groupKey = (domain: string, facts: CaaFacts): string =>
  facts.kind === 'Found'
    ? `Found ${facts.owner}`
    : `${facts.kind === 'Failed' ? facts.code : ''} ${zoneOf(domain, facts.host)}`

function authoritiesOf({ certificates, hosts, domain }: Plan, { policyHost }: DomainFacts): HostAuthority[] {
  const served = servedOrNext(certificates ?? [])
  const next = served.filter(({ state }) => state === 'Next')
  // An announced certificate shows which CA the next renewal will use.
  const issuers = new Map(
    (next.length > 0 ? next : served).map((certificate) => {
      const issuer = issuerOf(certificate)
      return [issuer.organization, issuer] as const
    }),
  )
  const isKnown = policyHost.some((answer) => answer.kind === 'Found' && isAws(answer.name))
  return [
    ...hosts.flatMap((host) =>
      [...issuers.values()].map((authority) => ({ host, authority, isKnown: true })),
    ),
    { host: policyHostOf(domain), authority: amazon, isKnown },
  ]
}

/** The targets of the policy host's alias: an API Gateway domain name or a CloudFront distribution. */
const isAws = (name: string): boolean => /\.(?:amazonaws\.com|cloudfront\.net)$/.test(name)

function assessGroup(
  domain: string,
  facts: CaaFacts,
  hosts: readonly string[],
  needed: readonly HostAuthority[],
): RecordFinding {
  if (facts.kind === 'Failed') {
    const failed = failedQueryFinding({ record: 'CAA' as const, name: joinNames(hosts) }, facts)
    return { ...failed, says: [...failed.says, 'A CA that gets no answer to this query does not issue.'] }
  }
  if (facts.kind === 'NoRecords') return missingFinding(zoneOf(domain, facts.host), hosts, needed)
  const published = facts.records.map(caaText)
  const about = { record: 'CAA' as const, name: facts.owner, published }
  const { permitted, unknownCritical } = readCaaPolicy(facts.records)
  if (unknownCritical !== null)
    return {
      ...about,
      result: 'DIFFERENT',
      wanted: published.filter((_, index) => facts.records[index]?.tag !== unknownCritical),
      says: [
        `The property "${unknownCritical}" is critical, and CAs do not know it: no CA issues a certificate for ${joinNames(hosts)}.`,
      ],
    }
  const known = needed.filter(({ authority }) => authority.caaNames.length > 0)
  const denied = known.filter(({ authority: { caaNames } }) => permitted && !caaNames.some(isIn(permitted)))
  const result: Result =
    denied.length === 0 ? 'OK' : denied.some(({ isKnown }) => isKnown) ? 'DIFFERENT' : 'WARN'
  const permittedText =
    permitted === null
      ? `The records do not limit which CA issues certificates for ${joinNames(hosts)}.`
      : `${joinNames(permitted) || 'No CA'} may issue certificates for ${joinNames(hosts)}.`
  return {
    ...about,
    result,
    wanted: result === 'OK' ? [] : [...published, ...issueRecords(denied)],
    says: [permittedText, ...denied.map(deniedText), ...(permitted === null ? [] : unknownTexts(needed))],
  }
}

const isIn =
  (list: readonly string[]) =>
  (text: string): boolean =>
    list.includes(text)

function deniedText({ host, authority: { organization, caaNames }, isKnown }: HostAuthority): string {
  const [name = ''] = caaNames
  return isKnown
    ? `The records do not permit ${organization} (${name}), the issuer of the certificate of ${host}: its next renewal fails.`
    : `The records do not permit ${organization} (${name}). If AWS serves ${host}, the next renewal of its certificate fails.`
}

function missingFinding(
  name: string,
  hosts: readonly string[],
  needed: readonly HostAuthority[],
): RecordFinding {
  return {
    record: 'CAA',
    name,
    result: 'ADVICE',
    published: [],
    wanted: issueRecords(needed),
    says: [
      `Any CA may issue certificates for ${joinNames(hosts)}. CAA records limit this to the CAs that you name.`,
      `They also apply to all names below ${name}. So name each CA that you use there: with another CA, renewals fail.`,
      ...unknownTexts(needed),
    ],
  }
}

/** Returns one record for each CA whose name in CAA records is known. */
const issueRecords = (needed: readonly HostAuthority[]): string[] => [
  ...new Set(
    needed.flatMap(({ authority: { caaNames } }) =>
      caaNames.slice(0, 1).map((value) => caaText({ flags: 0, tag: 'issue', value })),
    ),
  ),
]

const unknownTexts = (needed: readonly HostAuthority[]): string[] => {
  const organizations = needed
    .filter(({ authority }) => authority.caaNames.length === 0)
    .map(({ authority }) => authority.organization)
  return organizations.length === 0
    ? []
    : [
        `The gateway's certificate is from ${joinNames([...new Set(organizations)])}. The CA's documentation gives its name in CAA records; a private CA has none.`,
      ]
}
