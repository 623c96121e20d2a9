/** Describes sessions, TLS requirements and authentication, in the words of the command line. Pure. */
import type { TraceEntry } from '../../api/types.ts'

export type Recipient = TraceEntry['recipients'][number]
export type Attempt = Recipient['attempts'][number]
export type Verdict = NonNullable<Recipient['verdict']>
export type Authentication = NonNullable<TraceEntry['authentication']>

export const senderText = (mailFrom: string): string => (mailFrom === '' ? '<>' : mailFrom)

/** Describes how a message was received. */
export function inboundSessionText({ source, tls }: Pick<TraceEntry, 'source' | 'tls'>): string {
  if (source === null) return 'created by mailflow'
  return tls.negotiated ? (tls.protocol ?? 'TLS') : 'in the clear'
}

/** Describes the session of an attempt. A message that was not sent must not look like a message sent in the clear. */
export function outboundSessionText({
  tls,
  host,
  outcome,
}: Pick<Attempt, 'tls' | 'host' | 'outcome'>): string {
  if (host === 'Amazon SES') return 'through Amazon SES'
  const session = tls === null ? sessionWithoutTls(outcome) : tlsSessionText(tls)
  return outcome === 'TlsNotMet' ? `${session}, not sent` : session
}

function sessionWithoutTls(outcome: string): string {
  if (outcome === 'TlsNotMet') return 'no TLS'
  return outcome === 'Delivered' ? 'in the clear' : 'without TLS'
}

function tlsSessionText({ protocol, cipher, group, verified }: NonNullable<Attempt['tls']>): string {
  const parameters = [protocol, cipher, ...(group === null ? [] : [group])]
  return [...parameters, `certificate ${verified ? 'verified' : 'not verified'}`].join(', ')
}

const sources: Readonly<Record<string, string>> = {
  Connector: 'the connector',
  Dane: "the next hop's TLSA records",
  MtaSts: "the recipient domain's MTA-STS policy",
  RequireTls: "the sender's REQUIRETLS",
}

/** Describes the TLS requirement of an attempt and its source. */
export function requirementText({
  policy,
  policySource,
  reportOnlyLevel,
}: Pick<Attempt, 'policy' | 'policySource' | 'reportOnlyLevel'>): string {
  if (policy === null || policy === 'Opportunistic')
    return reportOnlyLevel === null ? 'TLS was not required' : `${reportOnlyLevel} was report only`
  const source = sources[policySource ?? '']
  return source === undefined ? `${policy} was required` : `${policy} was required by ${source}`
}

/** What a recipient's messages keep requiring of the next hop. */
export function keptRequirementText(requirement: NonNullable<Recipient['requirement']>): string {
  const { level, tlsDomain, minimumTlsVersion, smtpDaneMode, mtaStsMode } = requirement
  const name = tlsDomain === null ? '' : ` for ${tlsDomain}`
  const policies = [
    level === 'Opportunistic' ? '' : `${level}${name}`,
    smtpDaneMode === 'Mandatory' ? 'DANE' : '',
    mtaStsMode === 'Mandatory' ? 'MTA-STS' : '',
  ].filter(Boolean)
  return `${policies.join(' and ') || 'Opportunistic'}, ${minimumTlsVersion} or later`
}

export function loweredText(lowered: readonly string[]): string | null {
  if (lowered.length === 0) return null
  if (lowered.includes('connector')) return 'No connector applies now, and this requirement still does.'
  return `The current connector lowers ${lowered.join(', ')}; this requirement still applies.`
}

/** A line for each method. */
export function authenticationText({ internal, spf, dkim, dmarc, arc }: Authentication): string[] {
  if (internal !== null) return [`not checked: connector "${internal}" treats it as internal mail`]
  return [
    ...(dmarc === null ? [] : [dmarcText(dmarc)]),
    ...(spf === null ? [] : [`SPF ${spf.result} for ${spf.domain}`]),
    ...(dkim.length === 0
      ? ['no DKIM signature']
      : dkim.map(
          ({ result, domain, selector, aligned }) =>
            `DKIM ${result} for ${domain}, selector ${selector}, ${aligned ? 'aligned' : 'not aligned'}`,
        )),
    ...(arc === null || arc.result === 'none'
      ? []
      : [`ARC ${arc.result}${arc.sealer === null ? '' : `, last sealed by ${arc.sealer}`}`]),
  ]
}

function dmarcText({ result, fromDomain, policy, alignedBy }: NonNullable<Authentication['dmarc']>): string {
  const from = fromDomain === null ? 'without a single domain in From:' : `for ${fromDomain} (From:)`
  const reason =
    alignedBy.length === 0 ? '' : `, aligned by ${alignedBy.map((name) => name.toUpperCase()).join(' and ')}`
  return `DMARC ${result} ${from}${reason}, ${policy === null ? 'no policy' : `policy ${policy}`}`
}

/** What the header names of the sending tenant. */
export function tenantText({
  tenantIds,
  originatorOrganizations,
}: NonNullable<TraceEntry['exchangeOnline']>): string {
  const names = [
    ...tenantIds.map((id) => `tenant id ${id}`),
    ...originatorOrganizations.map((name) => `organization ${name}`),
  ]
  return names.length === 0 ? 'no tenant named' : names.join(', ')
}
