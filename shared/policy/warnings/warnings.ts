/**
 * Warns about effects of a connector that its administrator may not expect. A warning is not an error: the connector is
 * saved, and the answer lists the warnings. They are few, so that they are read.
 */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { counted } from '../words.ts'
import { inboundOverlaps, outboundOverlaps } from './overlap.ts'
import { inboundTraps, notInForce, outboundTraps } from './own.ts'
import { unprotectedFrom, unprotectedTo } from './pair.ts'
import type { Extent, Surroundings, Warning } from './warning.ts'

/** @param all null when the other connectors could not be read: a warning then says that they were not compared */
export function inboundWarnings(
  connector: InboundConnector,
  all: Surroundings | null,
  now: Date,
  extent: Extent = 'Everything',
): Warning[] {
  if (!connector.enabled) return notInForce(connector)
  return limitWarnings([
    ...notInForce(connector),
    ...(all
      ? [...unprotectedTo(connector, all), ...inboundOverlaps(connector, all, now, extent)]
      : notCompared),
    ...inboundTraps(connector, now),
  ])
}

/** @param all as for inboundWarnings */
export function outboundWarnings(
  connector: OutboundConnector,
  all: Surroundings | null,
  now: Date,
  extent: Extent = 'Everything',
): Warning[] {
  if (!connector.enabled) return notInForce(connector)
  return limitWarnings([
    ...notInForce(connector),
    ...(all
      ? [...unprotectedFrom(connector, all), ...outboundOverlaps(connector, all, extent)]
      : notCompared),
    ...outboundTraps(connector, all?.acceptedDomains ?? [], now),
  ])
}

const notCompared: Warning[] = [
  {
    path: '',
    message:
      'the connector is saved, but not compared with the others, which could not be read; save it again to compare it',
  },
]

const maxWarnings = 20

function limitWarnings(warnings: Warning[]): Warning[] {
  if (warnings.length <= maxWarnings) return warnings
  return [
    ...warnings.slice(0, maxWarnings),
    { path: '', message: `and ${counted(warnings.length - maxWarnings, 'more warning')}` },
  ]
}
