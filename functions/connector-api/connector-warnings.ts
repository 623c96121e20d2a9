/** Collects the warnings about a connector that was just saved, compared with all other connectors. */
import type { Logger } from '@aws-lambda-powertools/logger'
import { connectorSetOf, type Snapshot } from '../../shared/policy/snapshot.ts'
import type { ComparedConnectors, Warning } from '../../shared/policy/warnings/warning.ts'

/** Timeout of reading the other connectors: the connector is saved already, and the client waits for the response. */
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
type FindWarnings<Stored> = (connector: Stored, all: ComparedConnectors | null, now: Date) => Warning[]

/**
 * Returns a function that finds the warnings about a saved connector. If the other connectors cannot be read, a warning
 * reports that, and the connector stays saved.
 */
export function createWarningFinder<Stored>(
  findWarnings: FindWarnings<Stored>,
  { snapshot, logger, now }: WarningDependencies,
): (connector: Stored) => Promise<Warning[]> {
  const readAllConnectors = async (): Promise<ComparedConnectors | null> => {
    try {
      return connectorSetOf(await withTimeout(snapshot()))
    } catch (error) {
      logger.error('A saved connector could not be compared with the others', error as Error)
      return null
    }
  }
  return async (connector) => findWarnings(connector, await readAllConnectors(), new Date(now()))
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
