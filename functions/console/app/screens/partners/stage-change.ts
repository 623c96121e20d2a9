/** A change of a connector's stage, or its removal: the fields that it writes, and its effect on mail. Pure. */
import {
  changeEffects,
  type FieldChange,
  removalEffects,
} from '../../../../../shared/policy/change-effects.ts'
import type { InboundConnector, OutboundConnector } from '../../api/types.ts'
import { isInbound, type Stage, stageOf } from './connector-text.ts'

type Connector = InboundConnector | OutboundConnector

interface StageFields {
  enabled: boolean
  mode?: 'Enforce' | 'ReportOnly'
}

/** The fields that PATCH changes. */
export const stagePatch = (to: Stage): StageFields =>
  to === 'Disabled' ? { enabled: false } : { enabled: true, mode: to }

/** The stage after the act; `Removed`: the connector does not exist any more. */
export type StageOrRemoved = Stage | 'Removed'

export const actTexts: Readonly<Record<StageOrRemoved, string>> = {
  Disabled: 'Disable',
  ReportOnly: 'Set to ReportOnly',
  Enforce: 'Enforce',
  Removed: 'Remove',
}

/** Whether a change lowers what is required of mail. */
export const isWeakening = (connector: Connector, to: StageOrRemoved): boolean =>
  to === 'Removed' ||
  stageOf(connector) === 'Enforce' ||
  (stageOf(connector) === 'ReportOnly' && to === 'Disabled')

/** Sentences on the effect on mail, as the command line prints them. */
export function stageEffects(connector: Connector, to: StageOrRemoved): string[] {
  const kind = isInbound(connector) ? 'inboundConnectors' : 'outboundConnectors'
  if (to === 'Removed') return removalEffects(kind, { ...connector })
  const patch = stagePatch(to)
  const changes = (['enabled', 'mode'] as const).flatMap((field): FieldChange[] =>
    patch[field] === undefined || patch[field] === connector[field]
      ? []
      : [{ field, from: connector[field], to: patch[field] }],
  )
  return changeEffects(kind, { ...connector }, { ...connector, ...patch }, changes)
}
