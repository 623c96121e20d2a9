/** Describes the effect of removed or weaker rules, such as mail in the clear or refused mail. */
import type { EntryKind, Fields } from './entry-kinds.ts'
import type { Change, FieldChange } from './plan-changes.ts'

function removalEffect(kind: EntryKind, fields: Fields): string {
  switch (kind.name) {
    case 'acceptedDomains':
      return 'Mail from outside for this domain will be refused.'
    case 'inboundConnectors':
      return inboundRemovalEffect(fields)
    case 'outboundConnectors':
      return outboundRemovalEffect(fields)
  }
}

function inboundRemovalEffect(fields: Fields): string {
  if (fields.enabled === false) return disabledText
  const domains = domainList(fields.senderDomains)
  if (fields.connectorType === 'OnPremises')
    return `The servers that it identifies may no longer relay mail from ${domains}.`
  if (fields.mode === 'ReportOnly') return 'It is report only, so mail is not affected.'
  const requirements = requirementsOf(fields)
  if (requirements.length === 0) return `It requires nothing of mail from ${domains}.`
  return `It no longer requires ${requirements.join(' and ')} of mail from ${domains}; another connector may.`
}

const requirementsOf = (fields: Fields): string[] =>
  [
    fields.requireTls === true ? 'TLS' : '',
    fields.restrictDomainsToCertificate === true ? 'a listed certificate' : '',
    fields.restrictDomainsToIpAddresses === true ? 'a listed address' : '',
    fields.requireDmarc === true ? 'DMARC' : '',
  ].filter(Boolean)

function outboundRemovalEffect(fields: Fields): string {
  if (fields.enabled === false) return disabledText
  const domains =
    fields.allAcceptedDomains === true ? 'the accepted domains' : domainList(fields.recipientDomains)
  const requirements = tlsRequirementsOf(fields)
  const tlsEffect =
    requirements === '' || fields.mode === 'ReportOnly'
      ? ''
      : ` It no longer forces TLS (${requirements}): mail may be sent in the clear, unless another connector forces it.`
  const effect = `Mail to ${domains} is no longer sent through ${routeText(fields)}.`
  if (fields.allAcceptedDomains === true)
    return `${effect} Without another connector it is deferred, and bounces after 24 hours.`
  return `${effect}${tlsEffect}`
}

/** Returns an empty text if TLS is not forced. */
const tlsRequirementsOf = ({ tlsSettings, smtpDaneMode, mtaStsMode }: Fields): string =>
  [
    tlsSettings === null ? '' : String(tlsSettings),
    smtpDaneMode === 'Mandatory' ? 'smtpDaneMode Mandatory' : '',
    mtaStsMode === 'Mandatory' ? 'mtaStsMode Mandatory' : '',
  ]
    .filter(Boolean)
    .join(' and ')

const routeText = ({ route, smartHosts }: Fields): string =>
  route === 'SmartHosts'
    ? `its smart hosts (${(smartHosts as { host: string }[]).map(({ host }) => host).join(', ')})`
    : `this connector (${route})`

const disabledText = 'It is disabled, so mail is not affected.'

const domainList = (domains: unknown): string => (domains as string[]).join(', ')

/** @returns a sentence for each effect of a change on mail; the effect of other connectors is not considered */
export function effectsOf(change: Change): string[] {
  if (change.kind === 'Remove') return [removalEffect(change.entryKind, change.current.fields)]
  if (change.kind !== 'Replace') return []
  return changeEffects(change.entryKind, change.current.fields, change.desired.fields, change.fields)
}

function changeEffects(
  kind: EntryKind,
  before: Fields,
  after: Fields,
  changes: readonly FieldChange[],
): string[] {
  const isEnforced = ({ enabled, mode }: Fields) => enabled === true && mode === 'Enforce'
  if (before.enabled === true && after.enabled === false) return [removalEffect(kind, before)]
  if (isEnforced(before) && after.mode === 'ReportOnly')
    return [
      reportOnlyEffect(kind, before),
      ...weakenedRequirements(changes.filter(({ field }) => field !== 'mode')),
    ]
  const enforced = !isEnforced(before) && isEnforced(after) ? [enforcementEffect(kind, after)] : []
  return [...enforced, ...weakenedRequirements(changes)]
}

/** The effect of a connector that begins to be enforced. */
function enforcementEffect(kind: EntryKind, fields: Fields): string {
  if (kind.name === 'outboundConnectors') return outboundEnforcementEffect(fields)
  const domains = domainList(fields.senderDomains)
  if (fields.connectorType === 'OnPremises')
    return `The servers that it identifies may relay mail from ${domains}.`
  const requirements = requirementsOf(fields)
  if (requirements.length === 0) return `It requires nothing of mail from ${domains}.`
  return `Mail from ${domains} without ${requirements.join(' and ')} is ${fields.onViolation === 'Defer' ? 'held' : 'refused'}.`
}

function reportOnlyEffect(kind: EntryKind, fields: Fields): string {
  if (kind.name === 'outboundConnectors')
    return tlsRequirementsOf(fields) === ''
      ? 'It forces no TLS, so mail is not affected.'
      : `It no longer forces TLS (${tlsRequirementsOf(fields)}): what it requires is only recorded.`
  if (fields.connectorType === 'OnPremises')
    return 'The servers that it identifies may still relay, also without TLS; violations are only recorded.'
  return inboundRemovalEffect(fields).replace(/\.$/, '; violations are only recorded.')
}

function outboundEnforcementEffect(fields: Fields): string {
  const domains =
    fields.allAcceptedDomains === true ? 'the accepted domains' : domainList(fields.recipientDomains)
  const route = `Mail to ${domains} is sent through ${routeText(fields)}.`
  const requirements = tlsRequirementsOf(fields)
  if (requirements === '') return route
  return `${route} Where a server does not meet ${requirements}, it is ${fields.onTlsFailure === 'Bounce' ? 'bounced' : 'deferred'}.`
}

/** Values of each field, from the weakest requirement to the strongest. */
const strengthOrder: Readonly<Record<string, readonly unknown[]>> = {
  enabled: [false, true],
  allAcceptedDomains: [false, true],
  mode: ['ReportOnly', 'Enforce'],
  requireTls: [false, true],
  restrictDomainsToCertificate: [false, true],
  restrictDomainsToIpAddresses: [false, true],
  requireDmarc: [false, true],
  treatMessagesAsInternal: [true, false],
  requireClientAuthEku: [false, true],
  minimumTlsVersion: ['TLSv1.2', 'TLSv1.3'],
  revocationCheck: ['None', 'SoftFail', 'HardFail'],
  smtpDaneMode: ['None', 'Opportunistic', 'Mandatory'],
  mtaStsMode: ['None', 'Opportunistic', 'Mandatory'],
  tlsSettings: [null, 'EncryptionOnly', 'CertificateValidation', 'DomainValidation'],
}

/** @returns a sentence for each change that weakens a requirement */
export const weakenedRequirements = (changes: readonly FieldChange[]): string[] =>
  changes.flatMap((change) => {
    const removed = removedDomains(change)
    if (removed.length > 0) return [`${removed.join(', ')}: no longer covered by this connector`]
    const widened = scopeEffect(change) ?? tenantEffect(change)
    if (widened !== null) return [widened]
    return isWeaker(change) ? [`${change.field} is weaker than before`] : []
  })

/** A scope that leaves out recipients leaves out their protection, too. */
function scopeEffect({ field, from, to }: FieldChange): string | null {
  if (field !== 'associatedAcceptedDomains') return null
  const [before, after] = [from as string[], to as string[]]
  const narrows =
    after.length > 0 && (before.length === 0 || before.some((domain) => !after.includes(domain)))
  return narrows ? `${after.join(', ')}: only mail to these domains is covered by this connector` : null
}

function tenantEffect({ field, from, to }: FieldChange): string | null {
  if (field !== 'exchangeOnline') return null
  const before = tenantIdsOf(from)
  const added = tenantIdsOf(to).filter((id) => !before.includes(id))
  return added.length > 0 && before.length > 0 ? `${added.join(', ')}: these tenants may relay, too` : null
}

const tenantIdsOf = (value: unknown): string[] =>
  (value as { tenantIds?: string[] } | null | undefined)?.tenantIds ?? []

function isWeaker({ field, from, to }: FieldChange): boolean {
  // With an empty list the connector trusts all public authorities, which is weaker than named ones.
  if (field === 'certificateAuthorities')
    return (from as unknown[]).length > 0 && (to as unknown[]).length === 0
  if (field === 'messageRateLimit') return limitValue(to) > limitValue(from)
  const order = strengthOrder[field] ?? []
  return order.indexOf(to) < order.indexOf(from)
}

/** Returns infinity for null, which means no limit. */
const limitValue = (limit: unknown): number => (limit === null ? Number.POSITIVE_INFINITY : Number(limit))

function removedDomains({ field, from, to }: FieldChange): string[] {
  if (field !== 'senderDomains' && field !== 'recipientDomains') return []
  return (from as string[]).filter((domain) => !(to as string[]).includes(domain))
}
