/** Collects the warnings about connectors that were saved or are read, compared with all other connectors. */
import type { Logger } from '@aws-lambda-powertools/logger'
import { connectorSetOf, type Snapshot } from '../../shared/policy/snapshot.ts'
import type { ComparedConnectors, Warning, WarningScope } from '../../shared/policy/warnings/warning.ts'

/** Timeout of reading the other connectors: the client waits for a connector that is saved or read already. */
const timeoutMs = 5_000

export interface WarningDependencies {
  /** The current connectors. */
  snapshot(): Promise<Snapshot>
  logger: Logger
  /** Milliseconds since the epoch. */
  now: () => number
}

/**
 * Returns the warnings about one connector (shared/policy/warnings/). `all` is null when the connectors could not be
 * read. Pure.
 */
type FindWarnings<Stored> = (
  connector: Stored,
  all: ComparedConnectors | null,
  now: Date,
  options: { scope: WarningScope },
) => Warning[]

/** Returns the warnings about each of the connectors, in their order. */
export type WarningFinder<Stored> = (
  connectors: readonly Stored[],
  scope: WarningScope,
) => Promise<Warning[][]>

/**
 * Returns a function that finds the warnings about connectors. If the other connectors cannot be read, a warning reports
 * that, and the connectors are read or saved in any case.
 */
export function createWarningFinder<Stored>(
  findWarnings: FindWarnings<Stored>,
  { snapshot, logger, now }: WarningDependencies,
): WarningFinder<Stored> {
  const readAllConnectors = async (): Promise<ComparedConnectors | null> => {
    try {
      return connectorSetOf(await withTimeout(snapshot()))
    } catch (error) {
      logger.error('Connectors could not be compared with the others', error as Error)
      return null
    }
  }
  return async (connectors, scope) => {
    if (connectors.length === 0) return []
    const all = await readAllConnectors()
    const at = new Date(now())
    return connectors.map((connector) => findWarnings(connector, all, at, { scope }))
  }
}

async function withTimeout<T>(result: Promise<T>): Promise<T> {
  const { promise: timeout, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new Error(`The connectors were not read within ${timeoutMs} ms`)),
    timeoutMs,
  )
  try {
    return await Promise.race([result, timeout])
  } finally {
    clearTimeout(timer)
  }
}
