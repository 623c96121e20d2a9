/** What it means when a rule is gone. Mail that is suddenly sent in the clear, or stops, must not come as a surprise. */
import type { Fields, Kind } from './kinds.ts'
import type { FieldChange } from './plan-changes.ts'

export function consequenceOfRemoving(kind: Kind, fields: Fields): string {
  switch (kind.name) {
    case 'acceptedDomains':
      return 'Mail for this domain from outside is refused from then on.'
    case 'inboundConnectors':
      return inbound(fields)
    case 'outboundConnectors':
      return outbound(fields)
  }
}

function inbound(fields: Fields): string {
  const idle = idleness(fields)
  if (idle !== null) return idle
  const domains = listed(fields.senderDomains)
  if (fields.connectorType === 'OnPremises') return `The servers it knows may no longer relay (${domains}).`
  const demands = [
    fields.requireTls === true ? 'TLS' : '',
    fields.restrictDomainsToCertificate === true ? 'a certificate' : '',
    fields.restrictDomainsToIpAddresses === true ? 'an address' : '',
  ].filter(Boolean)
  if (demands.length === 0) return `It demands nothing of mail from ${domains}.`
  return `Of mail from ${domains}, ${demands.join(' and ')} is no longer demanded by it.`
}

function outbound(fields: Fields): string {
  const idle = idleness(fields)
  if (idle !== null) return idle
  const domains =
    fields.allAcceptedDomains === true ? 'the accepted domains' : listed(fields.recipientDomains)
  const forced =
    fields.tlsSettings === null
      ? ''
      : ` TLS (${fields.tlsSettings}) is no longer forced by it: mail may go in the clear.`
  return `Mail to ${domains} no longer goes by ${routeText(fields)}.${forced}`
}

const routeText = ({ route, smartHosts }: Fields): string =>
  route === 'SmartHosts'
    ? `its smart hosts (${(smartHosts as { host: string }[]).map(({ host }) => host).join(', ')})`
    : `this connector (${route})`

function idleness({ enabled, mode }: Fields): string | null {
  if (enabled === false) return 'It is disabled, so nothing changes for mail.'
  return mode === 'ReportOnly' ? 'It only reports, so nothing that is enforced changes.' : null
}

const listed = (domains: unknown): string => (domains as string[]).join(', ')

/** What a field demands, from less to more. */
const demands: Readonly<Record<string, readonly unknown[]>> = {
  enabled: [false, true],
  allAcceptedDomains: [false, true],
  mode: ['ReportOnly', 'Enforce'],
  requireTls: [false, true],
  restrictDomainsToCertificate: [false, true],
  restrictDomainsToIpAddresses: [false, true],
  requireClientAuthEku: [false, true],
  minimumTlsVersion: ['TLSv1.2', 'TLSv1.3'],
  revocationCheck: ['None', 'SoftFail', 'HardFail'],
  tlsSettings: [null, 'EncryptionOnly', 'CertificateValidation', 'DomainValidation'],
}

/** @returns what of the changes asks less of mail than before, a sentence each */
export const weakened = (changes: readonly FieldChange[]): string[] =>
  changes.flatMap((change) => {
    const gone = goneDomains(change)
    if (gone.length > 0) return [`${gone.join(', ')}: nothing is demanded there by it any more`]
    return demandsLess(change) ? [`${change.field} demands less than before`] : []
  })

function demandsLess({ field, from, to }: FieldChange): boolean {
  // Without authorities of its own a connector trusts the public ones.
  if (field === 'certificateAuthorities')
    return (from as unknown[]).length > 0 && (to as unknown[]).length === 0
  if (field === 'messageRateLimit') return mostOf(to) > mostOf(from)
  const order = demands[field] ?? []
  return order.indexOf(to) < order.indexOf(from)
}

/** Null stands for any number. */
const mostOf = (limit: unknown): number => (limit === null ? Number.POSITIVE_INFINITY : Number(limit))

function goneDomains({ field, from, to }: FieldChange): string[] {
  if (field !== 'senderDomains' && field !== 'recipientDomains') return []
  return (from as string[]).filter((domain) => !(to as string[]).includes(domain))
}
