/** A change of a connector's stage, or its removal: the fields that it writes, and its effect on mail. Pure. */
import {
  changeEffects,
  type FieldChange,
  removalEffects,
} from '../../../../../shared/policy/change-effects.ts'
import type { InboundConnector, OutboundConnector } from '../../api/types.ts'
import { type ConnectorDirection, isInbound } from './connector-text.ts'
import { type Stage, stageOf, stages, stageTexts, valuesOfStage } from './stages.ts'

type Connector = InboundConnector | OutboundConnector

const directionOf = (connector: Connector): ConnectorDirection =>
  isInbound(connector) ? 'inbound' : 'outbound'

/** The stage after the act; `Removed`: the connector does not exist any more. */
export type StageOrRemoved = Stage | 'Removed'

export const actText = (direction: ConnectorDirection, to: StageOrRemoved): string =>
  to === 'Removed' ? 'Remove' : stageTexts[direction][to].act

/** Whether a change lowers what is required of mail. Mail that is held instead of refused is not delivered either. */
export function isWeakening(connector: Connector, to: StageOrRemoved): boolean {
  if (to === 'Removed') return true
  const from = stageOf(directionOf(connector), connector)
  return (to === 'Disabled' || to === 'ReportOnly') && stages.indexOf(to) < stages.indexOf(from)
}

/** Sentences on the effect on mail, as the command line prints them. */
export function stageEffects(connector: Connector, to: StageOrRemoved): string[] {
  const kind = isInbound(connector) ? 'inboundConnectors' : 'outboundConnectors'
  const before: Readonly<Record<string, unknown>> = { ...connector }
  if (to === 'Removed') return removalEffects(kind, before)
  const patch = valuesOfStage(directionOf(connector), to)
  const changes = Object.entries(patch).flatMap(([field, value]): FieldChange[] =>
    value === before[field] ? [] : [{ field, from: before[field], to: value }],
  )
  return changeEffects(kind, before, { ...before, ...patch }, changes)
}
