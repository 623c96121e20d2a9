/**
 * Describes the effect of a change of the configuration on mail, such as mail in the clear or refused mail. The command
 * line and the console use the same sentences. The effect of other connectors is not considered.
 */
import { countText, firstNames } from './text-lists.ts'

export type EntryKindName = 'acceptedDomains' | 'inboundConnectors' | 'outboundConnectors'

/** The API's input fields of one entry, validated, with defaults. */
export type Fields = Readonly<Record<string, unknown>>

export interface FieldChange {
  readonly field: string
  readonly from: unknown
  readonly to: unknown
}

const disabledText = 'It is disabled, so mail is not affected.'

const isEnabled = ({ enabled }: Fields): boolean => enabled === true
const isReportOnly = ({ mode }: Fields): boolean => mode === 'ReportOnly'
const isEnforced = (fields: Fields): boolean => isEnabled(fields) && !isReportOnly(fields)

export function removalEffects(kind: EntryKindName, before: Fields): string[] {
  if (kind === 'acceptedDomains') return ['Mail from outside for this domain will be refused.']
  if (!isEnabled(before)) return [disabledText]
  return kind === 'inboundConnectors' ? inboundRemovalEffects(before) : [outboundRemovalEffect(before)]
}

export function creationEffects(kind: EntryKindName, after: Fields): string[] {
  if (kind === 'acceptedDomains') return []
  return isEnabled(after) ? startEffects(kind, after) : [disabledText]
}

/** @param changes the fields that differ */
export function changeEffects(
  kind: EntryKindName,
  before: Fields,
  after: Fields,
  changes: readonly FieldChange[],
): string[] {
  if (kind === 'acceptedDomains') return weakenedRequirements(changes)
  if (!isEnabled(after))
    return isEnabled(before)
      ? removalEffects(kind, before)
      : [...(changes.length > 0 ? [disabledText] : []), ...weakenedRequirements(changes)]
  const weakened = weakenedRequirements(changes.filter(({ field }) => field !== 'mode'))
  if (isEnforced(before) && isReportOnly(after))
    return [...reportOnlyEffects(kind, before), ...rerouteEffects(kind, after, changes), ...weakened]
  const isStart = !isEnabled(before) || (!isEnforced(before) && isEnforced(after))
  if (isStart) return [...startEffects(kind, after), ...weakened]
  if (changes.some(({ field }) => field === 'connectorType'))
    return [
      ...(kind === 'inboundConnectors' ? inboundRemovalEffects(before) : []),
      ...startEffects(kind, after),
      ...weakened,
    ]
  return [
    ...rerouteEffects(kind, after, changes),
    ...(kind === 'inboundConnectors' ? identityEffects(after, changes) : []),
    ...(isEnforced(after) && changes.some(isStricter) ? consequences(kind, after) : []),
    ...weakened,
  ]
}

/** The effects of a connector that begins to apply, or to be enforced. */
function startEffects(kind: EntryKindName, fields: Fields): string[] {
  if (kind === 'outboundConnectors') return [[routeEffect(fields), ...consequences(kind, fields)].join(' ')]
  if (fields.connectorType === 'OnPremises')
    return [
      isReportOnly(fields)
        ? `The servers that it identifies may relay mail from ${domainsOf(fields)}, also without TLS; violations are only recorded.`
        : `The servers that it identifies may relay mail from ${domainsOf(fields)}.`,
    ]
  return consequences(kind, fields)
}

/** What happens to mail that does not meet the requirements. */
function consequences(kind: EntryKindName, fields: Fields): string[] {
  if (kind === 'outboundConnectors') {
    const requirements = tlsRequirementsOf(fields)
    if (requirements === '') return []
    if (isReportOnly(fields)) return [`What it requires (${requirements}) is only recorded.`]
    return [
      `Where a server does not meet ${requirements}, the mail is ${fields.onTlsFailure === 'Bounce' ? 'bounced' : 'deferred'}.`,
    ]
  }
  if (fields.connectorType === 'OnPremises') return []
  const [requirements, domains] = [requirementsOf(fields), domainsOf(fields)]
  if (requirements.length === 0) return [`It requires nothing of mail from ${domains}.`]
  if (isReportOnly(fields)) return ['It is report only, so mail is not affected.']
  return [`Mail from ${domains} without ${requirements.join(' or without ')} is ${violationText(fields)}.`]
}

const violationText = ({ onViolation }: Fields): string => (onViolation === 'Defer' ? 'held' : 'refused')

/** By what an inbound connector identifies servers, and the field without which a Partner connector does not use it. */
const identityFields: readonly (readonly [field: string, restriction: string])[] = [
  ['tlsSenderCertificateNames', 'restrictDomainsToCertificate'],
  ['certificateFingerprints', 'restrictDomainsToCertificate'],
  ['senderIpAddresses', 'restrictDomainsToIpAddresses'],
]

/** The effects of values that are listed now, and of those that are listed no longer. */
function identityEffects(after: Fields, changes: readonly FieldChange[]): string[] {
  const domains = domainsOf(after)
  return identityFields.flatMap(([identity, restriction]) => {
    const change = changes.find(({ field }) => field === identity)
    if (change === undefined) return []
    const [from, to] = [change.from as string[], change.to as string[]]
    // The change names fingerprints beside the sentence; they are long.
    const textOf = (values: readonly string[], change: string): string =>
      identity === 'certificateFingerprints' && values.length > 0
        ? countText(values.length, `${change} fingerprint`)
        : namesText(values)
    const [removed, added] = [textOf(without(from, to), 'removed'), textOf(without(to, from), 'added')]
    if (after.connectorType === 'OnPremises')
      return [
        removed ? `Servers that are identified only by ${removed} may no longer relay.` : '',
        added ? `Servers that are identified by ${added} may relay mail from ${domains}.` : '',
      ].filter(Boolean)
    if (!isEnforced(after) || after[restriction] !== true) return []
    return [
      removed
        ? `Mail from ${domains} is ${violationText(after)} if its server is identified only by ${removed}.`
        : '',
      added ? `Mail from ${domains} meets ${restriction} if its server is identified by ${added}.` : '',
    ].filter(Boolean)
  })
}

const without = (names: readonly string[], others: readonly string[]): string[] =>
  names.filter((name) => !others.includes(name))

function inboundRemovalEffects(fields: Fields): string[] {
  const domains = domainsOf(fields)
  if (fields.connectorType === 'OnPremises')
    return [`The servers that it identifies may no longer relay mail from ${domains}.`]
  if (isReportOnly(fields)) return ['It is report only, so mail is not affected.']
  const requirements = requirementsOf(fields)
  if (requirements.length === 0) return [`It requires nothing of mail from ${domains}.`]
  return [
    `It no longer requires ${requirements.join(' and ')} of mail from ${domains}; another connector may.`,
    ...(fields.requireTls === true ? [arrivesInClear] : []),
  ]
}

const arrivesInClear = 'Unless another connector requires TLS, this mail is accepted in the clear.'

const requirementsOf = (fields: Fields): string[] =>
  [
    fields.requireTls === true ? tlsText(fields) : '',
    fields.restrictDomainsToCertificate === true ? 'a listed certificate' : '',
    fields.restrictDomainsToIpAddresses === true ? 'a listed address' : '',
    fields.requireDmarc === true ? 'DMARC' : '',
  ].filter(Boolean)

const tlsText = ({ minimumTlsVersion }: Fields): string =>
  minimumTlsVersion === 'TLSv1.3' ? 'TLS 1.3' : 'TLS'

function outboundRemovalEffect(fields: Fields): string {
  const requirements = tlsRequirementsOf(fields)
  const tlsEffect =
    requirements === '' || isReportOnly(fields)
      ? ''
      : ` It no longer forces TLS (${requirements}): mail may be sent in the clear, unless another connector forces it.`
  const effect = `Mail to ${recipientsOf(fields)} is no longer sent through ${routeText(fields)}.`
  if (fields.allAcceptedDomains === true)
    return `${effect} Without another connector it is deferred, and bounces after 24 hours.`
  return `${effect}${tlsEffect}`
}

function reportOnlyEffects(kind: EntryKindName, fields: Fields): string[] {
  if (kind === 'outboundConnectors') {
    const requirements = tlsRequirementsOf(fields)
    return requirements === ''
      ? ['It forces no TLS, so mail is not affected.']
      : [
          `It no longer forces TLS (${requirements}): what it requires is only recorded.`,
          `Mail to ${recipientsOf(fields)} may be sent in the clear.`,
        ]
  }
  if (fields.connectorType === 'OnPremises')
    return ['The servers that it identifies may still relay, also without TLS; violations are only recorded.']
  const [removed = '', ...rest] = inboundRemovalEffects(fields)
  return [removed.replace(/\.$/, '; violations are only recorded.'), ...rest]
}

/** Returns an empty text if TLS is not forced. */
const tlsRequirementsOf = ({
  tlsSettings,
  tlsDomain,
  minimumTlsVersion,
  smtpDaneMode,
  mtaStsMode,
}: Fields): string =>
  [
    tlsSettings === null ? '' : `${tlsSettings}${tlsDomain ? ` for ${tlsDomain}` : ''}`,
    tlsSettings !== null && minimumTlsVersion === 'TLSv1.3' ? 'TLS 1.3' : '',
    smtpDaneMode === 'Mandatory' ? 'smtpDaneMode Mandatory' : '',
    mtaStsMode === 'Mandatory' ? 'mtaStsMode Mandatory' : '',
  ]
    .filter(Boolean)
    .join(' and ')

const routeEffect = (fields: Fields): string =>
  `Mail to ${recipientsOf(fields)} is sent through ${routeText(fields)}.`

const rerouteEffects = (kind: EntryKindName, after: Fields, changes: readonly FieldChange[]): string[] =>
  kind === 'outboundConnectors' && changes.some(({ field }) => field === 'route' || field === 'smartHosts')
    ? [routeEffect(after)]
    : []

const routeText = ({ route, smartHosts }: Fields): string =>
  route === 'SmartHosts'
    ? `its smart hosts (${namesText((smartHosts as { host: string }[]).map(({ host }) => host))})`
    : `this connector (${route})`

/** The change names all values beside the sentence. */
const maxNames = 8
const namesText = (names: unknown): string => firstNames(names as string[], maxNames)

const domainsOf = ({ senderDomains }: Fields): string => namesText(senderDomains)
const recipientsOf = ({ allAcceptedDomains, recipientDomains }: Fields): string =>
  allAcceptedDomains === true ? 'the accepted domains' : namesText(recipientDomains)

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

/** Fields that change what happens to mail without being a weaker or stricter requirement. */
const consequenceFields = [
  'onViolation',
  'onTlsFailure',
  'senderDomains',
  'recipientDomains',
  'tlsDomain',
  'certificateAuthorities',
]

function isStricter({ field, from, to }: FieldChange): boolean {
  const order = strengthOrder[field] ?? []
  return order.indexOf(to) > order.indexOf(from) || (consequenceFields.includes(field) && !isNothing(to))
}

const isNothing = (value: unknown): boolean => value === null || (Array.isArray(value) && value.length === 0)

/** @returns a sentence for each change that weakens a requirement */
export const weakenedRequirements = (changes: readonly FieldChange[]): string[] =>
  changes.flatMap((change) => {
    const removed = removedDomains(change)
    if (removed.length > 0) return [`${namesText(removed)}: no longer covered by this connector`]
    const widened = scopeEffect(change) ?? tenantEffect(change) ?? typeEffect(change)
    if (widened !== null) return [widened]
    return isWeaker(change) ? [`${change.field} is weaker than before`] : []
  })

/** A scope that leaves out recipients leaves out their protection, too. */
function scopeEffect({ field, from, to }: FieldChange): string | null {
  if (field !== 'associatedAcceptedDomains') return null
  const [before, after] = [from as string[], to as string[]]
  const narrows =
    after.length > 0 && (before.length === 0 || before.some((domain) => !after.includes(domain)))
  return narrows ? `${namesText(after)}: only mail to these domains is covered by this connector` : null
}

function tenantEffect({ field, from, to }: FieldChange): string | null {
  if (field !== 'exchangeOnline') return null
  const before = tenantIdsOf(from)
  const added = tenantIdsOf(to).filter((id) => !before.includes(id))
  return added.length > 0 && before.length > 0 ? `${added.join(', ')}: these tenants may relay, too` : null
}

const typeEffect = ({ field, to }: FieldChange): string | null =>
  field === 'connectorType' && to === 'OnPremises'
    ? 'OnPremises: it is for your own servers, whose mail to every domain is accepted'
    : null

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
