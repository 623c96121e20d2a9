/** Describes which of two overlapping connectors takes precedence, and whether it requires less, in few sentences. */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { precedenceReason } from '../explain/precedence.ts'
import { proseList } from '../text-lists.ts'
import { exampleDomain } from './pattern-index.ts'
import type { Overlap } from './shared-domains.ts'
import type { Warning, WarningScope } from './warning.ts'

/** The selected connector; null if no mail matches both connectors. */
export type Selected<C> = C | null

export interface Comparison<C> {
  /** Selects, for a domain, between `other` and the connector that the warnings are about. */
  select(other: C, domain: string): Selected<C>
  orderOf: Parameters<typeof precedenceReason<C>>[3]
  strengthOf(connector: C): number
  /** Whether the first connector requires all that the second requires. */
  requiresAll(first: C, second: C): boolean
}

interface ComparedOverlap<C> extends Overlap<C> {
  winner: C
  loser: C
  reason: string
  /** Both patterns are equally specific. */
  isEquallySpecific: boolean
  /** The winner requires less than the loser does. */
  isWeaker: boolean
  /**
   * Both have the same mode, and the winner is more specific and requires all that the loser requires: the intended use
   * of domain patterns.
   */
  isIntended: boolean
}

/** Limits the cost, because each comparison compiles a snapshot. */
const maxComparisons = 500

export function describeOverlaps<C extends InboundConnector | OutboundConnector>(
  connector: C,
  overlaps: readonly Overlap<C>[],
  comparison: Comparison<C>,
  scope: WarningScope,
): Warning[] {
  const ordered = overlaps.toSorted((one, other) => Number(other.isIdentical) - Number(one.isIdentical))
  const comparedOverlaps = ordered
    .slice(0, maxComparisons)
    .map((overlap) => compareOverlap(connector, overlap, comparison))
    .filter((compared) => compared !== null)
    .filter(({ isIntended }) => scope === 'Everything' || !isIntended)
  const warnings = [...Map.groupBy(comparedOverlaps, groupKey).values()]
    .sort((one, other) => Number(other[0]?.isWeaker) - Number(one[0]?.isWeaker))
    .map((group) => ({ path: group[0]?.path ?? '', message: sentence(group) }))
  const omittedCount = ordered.length - maxComparisons
  if (omittedCount <= 0) return warnings
  const message = `${omittedCount} more overlaps with other connectors were not compared`
  return [...warnings, { path: '', message }]
}

/** @returns null if no mail matches both connectors */
function compareOverlap<C extends InboundConnector | OutboundConnector>(
  connector: C,
  overlap: Overlap<C>,
  { select, orderOf, strengthOf, requiresAll }: Comparison<C>,
): ComparedOverlap<C> | null {
  const { otherConnector: other, pattern } = overlap
  const domain = exampleDomain(pattern)
  const winner = select(other, domain)
  if (winner === null) return null
  const loser = winner === other ? connector : other
  const sameMode = winner.mode === loser.mode
  const isEquallySpecific = orderOf(winner, domain).specificity === orderOf(loser, domain).specificity
  return {
    ...overlap,
    winner,
    loser,
    reason: sameMode
      ? precedenceReason(winner, loser, domain, orderOf)
      : 'is enforced, and the other only reports',
    isEquallySpecific,
    isWeaker: strengthOf(winner) < strengthOf(loser),
    isIntended: !isEquallySpecific && sameMode && requiresAll(winner, loser),
  }
}

/**
 * Groups overlaps that one sentence can describe, such as one general connector and many specific ones. Two equally
 * specific connectors get a separate sentence.
 */
function groupKey<C extends InboundConnector | OutboundConnector>(overlap: ComparedOverlap<C>): string {
  const { path, otherConnector: other, winner, loser, isWeaker, isEquallySpecific } = overlap
  const field = path.split('[')[0]
  return [field, winner === other, winner.mode, loser.mode, isWeaker, isEquallySpecific && other.id].join(' ')
}

function sentence<C extends InboundConnector | OutboundConnector>(
  group: readonly ComparedOverlap<C>[],
): string {
  const [{ pattern, winner, loser, reason: why, isWeaker }, ...rest] = group as [
    ComparedOverlap<C>,
    ...ComparedOverlap<C>[],
  ]
  const restTexts = rest.map(({ pattern, otherConnector: other }) => `${pattern} ("${other.name}")`)
  return [
    `for ${domainText(pattern)} "${winner.name}" takes precedence over "${loser.name}": it ${why}`,
    ...(isWeaker ? [`, and requires less than "${loser.name}"`] : []),
    ...(restTexts.length > 0 ? [`; the same for ${proseList(restTexts)}`] : []),
  ].join('')
}

const domainText = (pattern: string): string => (pattern === '*' ? 'every other domain' : pattern)
