/**
 * What a connector does that its administrator may not expect. Nothing here is an error: the connector is taken as
 * it is, and the answer to the write says what to look at. Few and to the point, so that they are read.
 */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { inboundOverlaps, outboundOverlaps } from './overlap.ts'
import { inboundTraps, notInForce, outboundTraps } from './own.ts'
import { unprotectedFrom, unprotectedTo } from './pair.ts'
import type { Extent, Surroundings, Warning } from './warning.ts'

/** @param all null when it could not be read: then what depends on others is left out, and that is said */
export function inboundWarnings(
  connector: InboundConnector,
  all: Surroundings | null,
  now: Date,
  extent: Extent = 'Everything',
): Warning[] {
  if (!connector.enabled) return notInForce(connector)
  return bounded([
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
  return bounded([
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
      'the connector is saved, but the others could not be read, so it was not compared with them; write it again to have it compared',
  },
]

const most = 20

function bounded(warnings: Warning[]): Warning[] {
  if (warnings.length <= most) return warnings
  return [...warnings.slice(0, most), { path: '', message: `and ${warnings.length - most} more` }]
}
