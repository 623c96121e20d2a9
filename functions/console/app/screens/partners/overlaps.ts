/** Finds the connectors of one direction whose domains overlap with those of a connector of the other. Pure. */
import { PatternIndex } from '../../../../../shared/policy/warnings/pattern-index.ts'
import type { InboundConnector, OutboundConnector } from '../../api/types.ts'

export type Connector = InboundConnector | OutboundConnector

export const isEnforced = ({ enabled, mode }: Connector): boolean => enabled && mode === 'Enforce'

export class Overlaps<C extends Connector> {
  readonly #index: PatternIndex
  readonly #byPattern: ReadonlyMap<string, readonly C[]>
  readonly #patternsOf: (connector: C) => readonly string[]

  constructor(connectors: readonly C[], patternsOf: (connector: C) => readonly string[]) {
    const entries = connectors.flatMap((connector) =>
      patternsOf(connector).map((pattern) => ({ pattern, connector })),
    )
    const groups = Map.groupBy(entries, ({ pattern }) => pattern)
    this.#byPattern = new Map(
      [...groups].map(([pattern, all]) => [pattern, all.map(({ connector }) => connector)]),
    )
    this.#index = new PatternIndex([...this.#byPattern.keys()])
    this.#patternsOf = patternsOf
  }

  find(patterns: readonly string[]): C[] {
    const found = patterns.flatMap((pattern) =>
      [...this.#index.overlapping(pattern)].flatMap((other) => this.#byPattern.get(other) ?? []),
    )
    return [...new Set(found)]
  }

  /** The connector that has most patterns in common; of several, one that is enforced. */
  best(patterns: readonly string[]): C | null {
    const own = new Set(patterns)
    const scored = this.find(patterns).map((connector) => ({
      connector,
      shared: this.#patternsOf(connector).filter((pattern) => own.has(pattern)).length,
      rank: Number(connector.enabled) + Number(isEnforced(connector)),
    }))
    scored.sort(
      (a, b) => b.shared - a.shared || b.rank - a.rank || a.connector.name.localeCompare(b.connector.name),
    )
    return scored[0]?.connector ?? null
  }
}
