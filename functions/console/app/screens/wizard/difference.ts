/** What saving a draft changes, field by field, and its effect on mail. Pure. */
import {
  changeEffects,
  creationEffects,
  type FieldChange,
  weakenedRequirements,
} from '../../../../../shared/policy/change-effects.ts'
import type { ConnectorDirection } from '../partners/connector-text.ts'
import type { Body } from './draft.ts'
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

/** Whether mail may be refused or deferred, or less is required of it than before. */
export const needsCare = (before: Body | null, after: Body): boolean =>
  (after.enabled === true && after.mode === 'Enforce') ||
  (before !== null && weakenedRequirements(fieldChanges(before, after)).length > 0)

/** The body of PATCH. */
export const patchOf = (before: Body, after: Body): Body =>
  Object.fromEntries(fieldChanges(before, after).map(({ field, to }) => [field, to]))
