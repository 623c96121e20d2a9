/** How far a connector's requirements are applied: one progression over three fields of the API. Pure. */
import type { ConnectorDirection } from '../partners/connector-text.ts'
import type { Values } from './fields.ts'

export const progression = ['Disabled', 'ReportOnly', 'Hold', 'Enforce'] as const
export type ProgressionStage = (typeof progression)[number]

const consequenceField = (direction: ConnectorDirection): string =>
  direction === 'inbound' ? 'onViolation' : 'onTlsFailure'

export function progressionOf(direction: ConnectorDirection, values: Values): ProgressionStage {
  if (values.enabled !== true) return 'Disabled'
  if (values.mode === 'ReportOnly') return 'ReportOnly'
  return values[consequenceField(direction)] === 'Defer' ? 'Hold' : 'Enforce'
}

/** The fields that a stage writes. Disabled and ReportOnly keep what a violation would cause. */
export function valuesOfStage(direction: ConnectorDirection, stage: ProgressionStage): Values {
  if (stage === 'Disabled') return { enabled: false }
  if (stage === 'ReportOnly') return { enabled: true, mode: 'ReportOnly' }
  return {
    enabled: true,
    mode: 'Enforce',
    [consequenceField(direction)]: stage === 'Hold' ? 'Defer' : 'Bounce',
  }
}

type StageTexts = Readonly<Record<ProgressionStage, { label: string; description: string }>>

const disabled = { label: 'Disabled', description: 'Mail is handled as without this connector.' }

export const progressionTexts: Readonly<Record<ConnectorDirection, StageTexts>> = {
  inbound: {
    Disabled: disabled,
    ReportOnly: {
      label: '1. ReportOnly (recommended at first)',
      description: 'Mail is not refused. You see what would be. mode: ReportOnly',
    },
    Hold: {
      label: '2. Hold',
      description:
        'Mail that does not meet the requirements is accepted and held, until you correct the connector or release it. mode: Enforce, onViolation: Defer',
    },
    Enforce: {
      label: '3. Enforce',
      description:
        'Mail that does not meet the requirements is refused in the session. mode: Enforce, onViolation: Bounce',
    },
  },
  outbound: {
    Disabled: disabled,
    ReportOnly: {
      label: '1. ReportOnly (recommended at first)',
      description:
        'Mail takes the route of this connector, and is sent also where TLS fails. You see what would not be. mode: ReportOnly',
    },
    Hold: {
      label: '2. Hold',
      description:
        'Mail that a server would get without the required TLS is deferred and tried again, until it expires. mode: Enforce, onTlsFailure: Defer',
    },
    Enforce: {
      label: '3. Enforce',
      description:
        'Mail that a server would get without the required TLS bounces at the first attempt. mode: Enforce, onTlsFailure: Bounce',
    },
  },
}
