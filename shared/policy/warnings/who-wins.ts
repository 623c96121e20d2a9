/** Describes in few sentences which of two overlapping connectors takes precedence, and whether it requires less. */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { because } from '../explain/precedence.ts'
import { few } from '../words.ts'
import { exampleOf } from './patterns.ts'
import type { Overlap } from './shared-domains.ts'
import type { Extent, Warning } from './warning.ts'

/** The selected connector; null when not both match the domain. */
export type Selected<C> = C | null

export interface Judge<C> {
  /** Selects one of the two connectors for a domain. */
  select(other: C, domain: string): Selected<C>
  orderOf: Parameters<typeof because<C>>[3]
  demandOf(connector: C): number
  demandsAll(one: C, other: C): boolean
}

interface Decided<C> extends Overlap<C> {
  winner: C
  loser: C
  why: string
  /** Both patterns are equally specific. */
  level: boolean
  /** The winner requires less than the loser does. */
  weaker: boolean
  /** The winner is more specific and requires all that the loser does: domain patterns are meant for that. */
  asMeant: boolean
}

/** Bounds the cost: each comparison is a selection. */
const maxComparisons = 500

export function describe<C extends InboundConnector | OutboundConnector>(
  connector: C,
  overlaps: readonly Overlap<C>[],
  judge: Judge<C>,
  extent: Extent,
): Warning[] {
  const telling = overlaps.toSorted((one, other) => Number(other.same) - Number(one.same))
  const decided = telling
    .slice(0, maxComparisons)
    .map((overlap) => decide(connector, overlap, judge))
    .filter((it) => it !== null)
    .filter(({ asMeant }) => extent === 'Everything' || !asMeant)
  const warnings = [...Map.groupBy(decided, kindOf).values()]
    .sort((one, other) => Number(other[0]?.weaker) - Number(one[0]?.weaker))
    .map((group) => ({ path: group[0]?.path ?? '', message: sentence(group) }))
  const omittedCount = telling.length - maxComparisons
  if (omittedCount <= 0) return warnings
  const message = `overlaps with others in ${omittedCount} more domains, which were not compared`
  return [...warnings, { path: '', message }]
}

/** @returns null when the two do not both match the domain */
function decide<C extends InboundConnector | OutboundConnector>(
  connector: C,
  overlap: Overlap<C>,
  { select, orderOf, demandOf, demandsAll }: Judge<C>,
): Decided<C> | null {
  const { other, pattern } = overlap
  const domain = exampleOf(pattern)
  const winner = select(other, domain)
  if (winner === null) return null
  const loser = winner === other ? connector : other
  const sameMode = winner.mode === loser.mode
  const level = orderOf(winner, domain).specificity === orderOf(loser, domain).specificity
  return {
    ...overlap,
    winner,
    loser,
    why: sameMode ? because(winner, loser, domain, orderOf) : 'is enforced, and the other only reports',
    level,
    weaker: demandOf(winner) < demandOf(loser),
    asMeant: !level && sameMode && demandsAll(winner, loser),
  }
}

/**
 * Groups overlaps that one sentence describes: a general connector and many particular ones. Two equally specific
 * connectors get their own sentence.
 */
function kindOf<C extends InboundConnector | OutboundConnector>(it: Decided<C>): string {
  const field = it.path.split('[')[0]
  const { other, winner, loser, weaker, level } = it
  return [field, winner === other, winner.mode, loser.mode, weaker, level && other.id].join(' ')
}

function sentence<C extends InboundConnector | OutboundConnector>(group: readonly Decided<C>[]): string {
  const [{ pattern, winner, loser, why, weaker }, ...more] = group as [Decided<C>, ...Decided<C>[]]
  const likewise = more.map((it) => `${it.pattern} ("${it.other.name}")`)
  return [
    `for ${spoken(pattern)} "${winner.name}" takes precedence over "${loser.name}": it ${why}`,
    ...(weaker ? [`, and requires less than "${loser.name}"`] : []),
    ...(likewise.length > 0 ? [`; the same for ${few(likewise)}`] : []),
  ].join('')
}

const spoken = (pattern: string): string => (pattern === '*' ? 'every other domain' : pattern)
