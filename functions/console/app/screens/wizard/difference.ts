/** What saving a draft changes, field by field, and its effect on mail. Pure. */
import {
  changeEffects,
  creationEffects,
  type FieldChange,
  weakenedRequirements,
} from '../../../../../shared/policy/change-effects.ts'
import type { OutboundConnector } from '../../api/types.ts'
import { type ConnectorDirection, forcesTlsOut } from '../partners/connector-text.ts'
import { stageOf } from '../partners/stages.ts'
import type { Body, Connector } from './draft.ts'
import { fieldsOf } from './fields.ts'

/** Values of the API have a fixed order of fields. */
export const isEqual = (one: unknown, other: unknown): boolean =>
  JSON.stringify(one) === JSON.stringify(other)

export const fieldChanges = (before: Body, after: Body): FieldChange[] =>
  Object.keys(after)
    .filter((field) => !isEqual(before[field], after[field]))
    .map((field) => ({ field, from: before[field], to: after[field] }))

/** As the command line: a reader must see these without knowing the defaults. */
const alwaysShown = ['connectorType', 'enabled', 'mode', 'requireTls', 'tlsSettings', 'route']

/** The fields of a new connector that are not the API's defaults, and those that are always shown. */
export const createdFields = (direction: ConnectorDirection, after: Body): FieldChange[] =>
  fieldsOf(direction)
    .filter(({ name, absent }) => alwaysShown.includes(name) || !isEqual(after[name], absent))
    .map(({ name, absent }) => ({ field: name, from: absent, to: after[name] }))

const kindOf = (direction: ConnectorDirection) =>
  direction === 'inbound' ? 'inboundConnectors' : 'outboundConnectors'

/** @param before null for a new connector */
export const effectsOfDraft = (direction: ConnectorDirection, before: Body | null, after: Body): string[] =>
  before === null
    ? creationEffects(kindOf(direction), after)
    : changeEffects(kindOf(direction), before, after, fieldChanges(before, after))

/** Fields without an effect on mail. */
const descriptions: readonly string[] = ['name', 'comment']

/** What is said of a change for which there is no sentence. */
export const unknownEffectText = (changes: readonly FieldChange[], after: Body): string => {
  if (changes.every(({ field }) => descriptions.includes(field))) return 'None.'
  if (after.enabled !== true) return 'It is disabled, so mail is not affected.'
  return after.mode === 'ReportOnly' && after.connectorType === 'Partner'
    ? 'It is report only: what it requires is only recorded.'
    : 'It depends on the servers and the mail: the dry run shows it for past mail.'
}

/** Whether mail may be refused or deferred, or less is required of it than before. */
export const needsCare = (before: Body | null, after: Body): boolean =>
  (after.enabled === true && after.mode === 'Enforce') ||
  (before !== null && weakenedRequirements(fieldChanges(before, after)).length > 0)

/**
 * @param base null for a new connector
 * @returns what the person must know about a connector that is enforced and was never validated; null for others
 */
export function notValidatedText(
  direction: ConnectorDirection,
  base: Connector | null,
  after: Body,
): string | null {
  const stage = stageOf(direction, after)
  if (direction === 'inbound' || (stage !== 'Hold' && stage !== 'Enforce')) return null
  if (!forcesTlsOut(after as unknown as OutboundConnector)) return null
  if (base !== null && 'validation' in base && base.validation !== null) return null
  return `mailflow has not tried whether the servers meet what it requires. Where they do not, mail ${stage === 'Hold' ? 'is deferred, and bounces when it expires' : 'bounces at the first attempt'}. Safer: save it as ReportOnly, choose Validate on the partner’s page, then go on to ${stage === 'Hold' ? 'Defer' : 'Enforce'}.`
}

/** The body of PATCH. */
export const patchOf = (before: Body, after: Body): Body =>
  Object.fromEntries(fieldChanges(before, after).map(({ field, to }) => [field, to]))
