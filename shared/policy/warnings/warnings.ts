/**
 * Warns about effects of a connector that its administrator may not expect. A warning is not an error: the connector is
 * saved, and the response lists the warnings. Their number is limited, so that administrators read them.
 */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { countText } from '../text-lists.ts'
import { unprotectedInbound, unprotectedOutbound } from './counterpart.ts'
import { scopeWarnings, tenantSenderWarnings } from './inbound-scope.ts'
import { inboundOverlaps, outboundOverlaps } from './overlap.ts'
import {
  closedPortWarning,
  inboundOwnWarnings,
  notEnforcedWarning,
  outboundOwnWarnings,
  unprovenRecordsWarning,
} from './single-connector.ts'
import type { ComparedConnectors, Warning, WarningOptions } from './warning.ts'

/** @param all null when the other connectors could not be read: a warning then says that they were not compared */
export function inboundWarnings(
  connector: InboundConnector,
  all: ComparedConnectors | null,
  now: Date,
  { scope = 'Everything' }: WarningOptions = {},
): Warning[] {
  if (!connector.enabled) return notEnforcedWarning(connector)
  return limitWarnings([
    ...notEnforcedWarning(connector),
    ...(all
      ? [
          ...scopeWarnings(connector, all.acceptedDomains),
          ...tenantSenderWarnings(connector, all.acceptedDomains),
          ...unprotectedOutbound(connector, all),
          ...inboundOverlaps(connector, all, now, scope),
        ]
      : notCompared),
    ...inboundOwnWarnings(connector, now),
  ])
}

/** @param all null when the other connectors could not be read, as in inboundWarnings */
export function outboundWarnings(
  connector: OutboundConnector,
  all: ComparedConnectors | null,
  now: Date,
  { scope = 'Everything', deliversInVpc = true, validatesDnssec = true }: WarningOptions = {},
): Warning[] {
  if (!connector.enabled) return notEnforcedWarning(connector)
  return limitWarnings([
    ...notEnforcedWarning(connector),
    ...(deliversInVpc ? [] : closedPortWarning(connector)),
    ...(validatesDnssec ? [] : unprovenRecordsWarning(connector)),
    ...(all
      ? [...unprotectedInbound(connector, all), ...outboundOverlaps(connector, all, scope)]
      : notCompared),
    ...outboundOwnWarnings(connector, all?.acceptedDomains ?? [], now),
  ])
}

const notCompared: Warning[] = [
  {
    path: '',
    message:
      'the connector is not compared with the others, which could not be read; read it again to compare it',
  },
]

const maxWarnings = 20

function limitWarnings(warnings: Warning[]): Warning[] {
  if (warnings.length <= maxWarnings) return warnings
  return [
    ...warnings.slice(0, maxWarnings),
    { path: '', message: `and ${countText(warnings.length - maxWarnings, 'more warning')}` },
  ]
}
