/**
 * The requirement that a recipient keeps while its message waits: what the connector of its first decision with forced
 * TLS required of the next hop. The attack: an attacker strips STARTTLS until an administrator deletes, disables or
 * loosens the connector, and the waiting mail leaves in the clear. The defence: later decisions send the message with
 * the current connectors only if these require at least as much, and otherwise with the kept requirement. No request of
 * an administrator lowers it. Not covered: messages that arrive after the change.
 */
import { X509Certificate } from 'node:crypto'
import * as z from 'zod'
import type { OutboundConnector, OutboundConnectorInput } from '../connectors/schema.ts'
import { ConnectorName, type Route, SmartHost, TlsRequirement } from '../contract/jobs.ts'
import { fingerprintOf } from '../tls/fingerprint.ts'
import { requiresChain } from '../tls/requirement.ts'
import { requiresNextHopTls } from './mandatory-policies.ts'
import { revocationRank, tlsLevels } from './order.ts'
import { requirementOf } from './outbound.ts'

/** The domain of the route `Mx` is the recipient's, so that all recipients of a connector share one stored item. */
export const KeptRequirement = z.strictObject({
  connector: ConnectorName,
  route: z.enum(['Mx', 'SmartHosts', 'Ses']),
  smartHosts: z.array(SmartHost),
  tls: TlsRequirement,
})
export type KeptRequirement = z.infer<typeof KeptRequirement>

/** `since`: the time of the decision, ISO 8601. */
export type DatedRequirement = { requirement: KeptRequirement; since: string }

/** `connector`: no connector matches the recipient. The others are fields of the current connector. */
export const LoweredField = z.enum([
  'connector',
  'mode',
  'tlsSettings',
  'minimumTlsVersion',
  'tlsDomain',
  'certificateAuthorities',
  'revocationCheck',
  'smtpDaneMode',
  'mtaStsMode',
  'route',
  'smartHosts',
])
export type LoweredField = z.infer<typeof LoweredField>

const requirements = new WeakMap<OutboundConnector, KeptRequirement>()

/** @returns null when the connector does not force TLS; for the same connector object always the same requirement */
export function keptRequirementOf(connector: OutboundConnector | null): KeptRequirement | null {
  if (connector === null || !requiresNextHopTls(connector) || connector.mode !== 'Enforce') return null
  const { id, name, route, smartHosts } = connector
  const known = requirements.get(connector)
  const requirement = known ?? { connector: { id, name }, route, smartHosts, tls: requirementOf(connector) }
  requirements.set(connector, requirement)
  return requirement
}

export function routeOfRequirement({ route, smartHosts }: KeptRequirement, domain: string): Route {
  if (route === 'SmartHosts') return { kind: 'SmartHosts', hosts: smartHosts }
  return route === 'Mx' ? { kind: 'Mx', domain } : { kind: 'Ses' }
}

type RequiringFields = Pick<
  OutboundConnectorInput,
  | 'mode'
  | 'tlsSettings'
  | 'minimumTlsVersion'
  | 'tlsDomain'
  | 'certificateAuthorities'
  | 'revocationCheck'
  | 'smtpDaneMode'
  | 'mtaStsMode'
  | 'route'
  | 'smartHosts'
>

/**
 * Compares the current connector with a kept requirement. A field that the kept level does not use is not compared.
 * Another certificate name counts as lower, because which servers have it is unknown.
 * @param current null when no connector matches
 * @returns the fields that require less or lead elsewhere; empty when the current connector requires at least as much
 */
export function loweredBy(
  current: RequiringFields | null,
  { route, smartHosts, tls }: KeptRequirement,
): LoweredField[] {
  if (current === null) return ['connector']
  const { tlsSettings, tlsDomain, certificateAuthorities } = current
  const level = tls.level === 'Opportunistic' ? null : tls.level
  const usesChain = requiresChain(tls) && requiresChain({ level: tlsSettings ?? 'Opportunistic' })
  const isLower: Record<Exclude<LoweredField, 'connector'>, boolean> = {
    mode: current.mode !== 'Enforce',
    tlsSettings: tlsLevels.indexOf(tlsSettings) < tlsLevels.indexOf(level),
    minimumTlsVersion: current.minimumTlsVersion < tls.minimumTlsVersion,
    tlsDomain: tlsDomain !== null && tls.tlsDomain !== null && tlsDomain !== tls.tlsDomain,
    certificateAuthorities: usesChain && trustsMore(certificateAuthorities, tls.certificateAuthorities),
    revocationCheck: usesChain && revocationRank(current) < revocationRank(tls),
    smtpDaneMode: tls.smtpDaneMode === 'Mandatory' && current.smtpDaneMode !== 'Mandatory',
    mtaStsMode: tls.mtaStsMode === 'Mandatory' && current.mtaStsMode !== 'Mandatory',
    route: current.route !== route,
    smartHosts:
      current.route === route &&
      current.smartHosts.some(({ host, port }) =>
        smartHosts.every((known) => known.host !== host || known.port !== port),
      ),
  }
  return LoweredField.options.filter((field) => field !== 'connector' && isLower[field])
}

/** An empty list means the public roots, so an authority in its place is another one. */
function trustsMore(current: readonly string[], kept: readonly string[]): boolean {
  if (current.length === 0) return kept.length > 0
  const unknown = current.filter((pem) => !kept.includes(pem))
  if (unknown.length === 0) return false
  const fingerprints = new Set(kept.map(fingerprintOfPem))
  return unknown.some((pem) => !fingerprints.has(fingerprintOfPem(pem)))
}

const fingerprintOfPem = (pem: string): string => fingerprintOf(new X509Certificate(pem))

/**
 * Compares a connector with its replacement, for the mail that waits under it.
 * @param after null when the connector is deleted
 */
export function loweredByChange(
  before: OutboundConnector,
  after: OutboundConnectorInput | null,
): LoweredField[] {
  const requirement = before.enabled ? keptRequirementOf(before) : null
  if (requirement === null) return []
  return loweredBy(after?.enabled && coversDomains(before, after) ? after : null, requirement)
}

const coversDomains = (before: OutboundConnectorInput, after: OutboundConnectorInput): boolean =>
  before.recipientDomains.every((pattern) => after.recipientDomains.includes(pattern)) &&
  (after.allAcceptedDomains || !before.allAcceptedDomains)

/** A sentence for the administrator. */
export const keptExplanation = (
  { requirement, since }: DatedRequirement,
  lowered: readonly LoweredField[],
): string => {
  const keeps = `It keeps the requirement of connector "${requirement.connector.name}" from ${since}`
  return lowered.includes('connector')
    ? `${keeps}, because no connector applies to it now.`
    : `${keeps}, because the current connector lowers ${lowered.join(', ')}.`
}
