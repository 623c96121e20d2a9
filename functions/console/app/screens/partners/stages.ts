/** How far a connector's requirements are applied: one progression over three fields of the API. Pure. */
import type { ConnectorDirection } from './connector-text.ts'

/** From nothing to everything. */
export const stages = ['Disabled', 'ReportOnly', 'Hold', 'Enforce'] as const
export type Stage = (typeof stages)[number]

/** A connector, or the values of a draft. */
type StageValues = Readonly<Record<'enabled' | 'mode' | 'onViolation' | 'onTlsFailure', unknown>>

const consequenceField = (direction: ConnectorDirection) =>
  direction === 'inbound' ? 'onViolation' : 'onTlsFailure'

export function stageOf(direction: ConnectorDirection, values: Partial<StageValues>): Stage {
  if (values.enabled !== true) return 'Disabled'
  if (values.mode === 'ReportOnly') return 'ReportOnly'
  return values[consequenceField(direction)] === 'Defer' ? 'Hold' : 'Enforce'
}

/** The fields that a stage writes. Disabled and ReportOnly keep what a violation would cause. */
export function valuesOfStage(direction: ConnectorDirection, stage: Stage): Partial<StageValues> {
  if (stage === 'Disabled') return { enabled: false }
  if (stage === 'ReportOnly') return { enabled: true, mode: 'ReportOnly' }
  return {
    enabled: true,
    mode: 'Enforce',
    [consequenceField(direction)]: stage === 'Hold' ? 'Defer' : 'Bounce',
  }
}

export interface StageText {
  label: string
  /** The button that leads to the stage. */
  act: string
  description: string
  /** The fields that the stage writes. */
  fields: string
}

const disabled: StageText = {
  label: 'Disabled',
  act: 'Disable',
  description: 'Mail is handled as without this connector.',
  fields: 'enabled: false',
}

const reportOnly = { label: 'ReportOnly', act: 'Set to ReportOnly', fields: 'mode: ReportOnly' } as const

/** Mail out is never held for an administrator: it is deferred, and tried again. */
export const stageTexts: Readonly<Record<ConnectorDirection, Readonly<Record<Stage, StageText>>>> = {
  inbound: {
    Disabled: disabled,
    ReportOnly: {
      ...reportOnly,
      description: 'Recommended at first. No mail is refused. You see which mail would be refused.',
    },
    Hold: {
      label: 'Hold',
      act: 'Hold',
      description:
        'Mail that does not meet the requirements is accepted and held, until you correct the connector or release it. Otherwise it bounces when it expires.',
      fields: 'mode: Enforce, onViolation: Defer',
    },
    Enforce: {
      label: 'Enforce',
      act: 'Enforce',
      description: 'Mail that does not meet the requirements is refused in the session.',
      fields: 'mode: Enforce, onViolation: Bounce',
    },
  },
  outbound: {
    Disabled: disabled,
    ReportOnly: {
      ...reportOnly,
      description:
        'Recommended at first. Mail takes the route of this connector, and is sent also where TLS fails. You see which mail would not be sent.',
    },
    Hold: {
      label: 'Defer',
      act: 'Defer',
      description:
        'Mail that a server would get without the required TLS is deferred and tried again. It bounces when it expires, by default after 24 hours.',
      fields: 'mode: Enforce, onTlsFailure: Defer',
    },
    Enforce: {
      label: 'Enforce',
      act: 'Enforce',
      description: 'Mail that a server would get without the required TLS bounces at the first attempt.',
      fields: 'mode: Enforce, onTlsFailure: Bounce',
    },
  },
}
