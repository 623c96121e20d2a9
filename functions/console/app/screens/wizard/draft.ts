/** What a person enters for a connector, from its beginning to the body of the request. Pure. */
import type { InboundConnector, OutboundConnector } from '../../api/types.ts'
import type { ConnectorDirection } from '../partners/connector-text.ts'
import { domainField, type Field, fieldsOf, type Step, type Values } from './fields.ts'
import { heldOf, readField } from './read-field.ts'

export interface Draft {
  readonly direction: ConnectorDirection
  readonly values: Values
}

export type Connector = InboundConnector | OutboundConnector
/** The fields that a request writes. */
export type Body = Readonly<Record<string, unknown>>

export interface Start {
  direction: ConnectorDirection
  domains: readonly string[]
  /** The route of the deployment. */
  defaultRoute: 'Mx' | 'Ses'
}

export function newDraft({ direction, domains, defaultRoute }: Start): Draft {
  const [domain] = domains
  const given: Record<string, unknown> = {
    [domainField(direction)]: domains,
    ...(domain !== undefined && { name: nameFor(direction, domain) }),
    ...(direction === 'outbound' && {
      route: defaultRoute,
    }),
  }
  const values = fieldsOf(direction).map((field) => {
    const { name, absent, initial = absent } = field
    return [name, heldOf(field, given[name] ?? initial)]
  })
  return { direction, values: Object.fromEntries(values) }
}

/** Lists of what identifies a partner's servers, each with the field without which the connector does not use it. */
const restrictionOf: Readonly<Record<string, string>> = {
  tlsSenderCertificateNames: 'restrictDomainsToCertificate',
  certificateFingerprints: 'restrictDomainsToCertificate',
  senderIpAddresses: 'restrictDomainsToIpAddresses',
}

/** The first entry of a list chooses the restriction that uses the list, unless the person chose another. */
export function withValues({ direction, values }: Draft, changed: Values): Draft {
  const next = { ...values, ...changed }
  const isUnrestricted = Object.values(restrictionOf).every((field) => next[field] !== true)
  const [list] = Object.keys(changed)
  const restriction = restrictionOf[list ?? '']
  const isFirst =
    list !== undefined && String(values[list] ?? '').trim() === '' && String(changed[list]).trim() !== ''
  return restriction !== undefined && isFirst && isUnrestricted && next.connectorType === 'Partner'
    ? { direction, values: { ...next, [restriction]: true } }
    : { direction, values: next }
}

const nameFor = (direction: ConnectorDirection, domain: string): string =>
  `${direction === 'inbound' ? 'From' : 'To'} ${domain.replace(/^\*\./, '')}`.slice(0, 64)

/** Keeps what both directions have: kind, name, comment, stage and domains. */
export function withDirection(
  draft: Draft,
  direction: ConnectorDirection,
  defaultRoute: 'Mx' | 'Ses',
): Draft {
  if (draft.direction === direction) return draft
  const domains = draft.values[domainField(draft.direction)]
  const read = readField({ kind: 'Patterns' }, domains).value as string[]
  const fresh = newDraft({ direction, domains: read, defaultRoute })
  const kept = ['connectorType', 'comment', 'enabled', 'mode'].map((name) => [name, draft.values[name]])
  const suggested = read[0] === undefined ? '' : nameFor(draft.direction, read[0])
  const name = draft.values.name === suggested ? fresh.values.name : draft.values.name
  return {
    direction,
    values: { ...fresh.values, ...Object.fromEntries(kept), name, [domainField(direction)]: domains },
  }
}

export const draftOf = (direction: ConnectorDirection, fields: Body): Draft => ({
  direction,
  values: Object.fromEntries(
    fieldsOf(direction).map((field) => [field.name, heldOf(field, fields[field.name] ?? field.absent)]),
  ),
})

const isPermitted = ({ isPermitted: permits }: Field, values: Values): boolean => permits?.(values) ?? true

/** The fields of the draft as the API has them. */
export const bodyOf = ({ direction, values }: Draft): Body =>
  Object.fromEntries(
    fieldsOf(direction).map((field) => [
      field.name,
      isPermitted(field, values) ? readField(field, values[field.name]).value : field.absent,
    ]),
  )

/** The fields of a connector that the wizard shows, in the form of a draft's body. */
export const shownFields = (direction: ConnectorDirection, connector: Body): Body =>
  bodyOf(draftOf(direction, connector))

const written = ['id', 'createdAt', 'updatedAt', 'version', 'validation', 'warnings', 'waiting']

/** Fields of a newer API. A change keeps them. */
export const fieldsNotShown = (direction: ConnectorDirection, connector: Body): [string, unknown][] => {
  const shown = new Set([...written, ...fieldsOf(direction).map(({ name }) => name)])
  return Object.entries(connector).filter(([name]) => !shown.has(name))
}

/** The connector as it would be saved. @param base null for a new connector */
export const savedFields = (direction: ConnectorDirection, base: Connector | null, body: Body): Body => ({
  ...(base !== null && Object.fromEntries(fieldsNotShown(direction, { ...base }))),
  ...body,
})

export type Faults = Readonly<Record<string, readonly string[]>>

/** The faults of values as they are typed. */
export const typedFaults = ({ direction, values }: Draft): Faults =>
  faultsBy(direction, (field) =>
    isPermitted(field, values) ? readField(field, values[field.name]).faults : [],
  )

/** What fields lack. */
export const missingFaults = ({ direction, values }: Draft): Faults =>
  faultsBy(direction, (field) => {
    const missing = isPermitted(field, values) ? field.missing?.(values) : null
    return missing ? [missing] : []
  })

const faultsBy = (direction: ConnectorDirection, find: (field: Field) => readonly string[]): Faults =>
  Object.fromEntries(
    fieldsOf(direction)
      .map((field) => [field.name, find(field)] as const)
      .filter(([, faults]) => faults.length > 0),
  )

/** The step of a field; the review for what no step shows. */
export const stepOf = (direction: ConnectorDirection, name: string): Step =>
  fieldsOf(direction).find((field) => field.name === name)?.step ?? 'Review'

/** The first step with a fault, in the order of the steps. */
export function firstStepWith(direction: ConnectorDirection, faults: Faults): Step | null {
  const [name] = fieldsOf(direction)
    .map((field) => field.name)
    .filter((each) => each in faults)
    .sort((one, other) => orderOf(stepOf(direction, one)) - orderOf(stepOf(direction, other)))
  return name === undefined ? null : stepOf(direction, name)
}

const order: readonly Step[] = ['FromTo', 'Name', 'Use', 'Routing', 'Security', 'DryRun', 'Review']
const orderOf = (step: Step): number => order.indexOf(step)
