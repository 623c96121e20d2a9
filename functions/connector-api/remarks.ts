/** What there is to remark on a connector that has just been saved, beside all others as they are now. */
import type { Logger } from '@aws-lambda-powertools/logger'
import type { ConnectorRepository } from '../../shared/connectors-table/repository.ts'
import type { Surroundings, Warning } from '../../shared/policy/warnings/warning.ts'

/** The connector is saved by then, and its writer waits. */
const patienceMs = 5_000

export interface RemarksDependencies {
  logger: Logger
  /** Milliseconds since the epoch. */
  now: () => number
}

/** A pure look at one connector (shared/policy/warnings/). */
type Look<Stored> = (connector: Stored, all: Surroundings | null, now: Date) => Warning[]

/** What was saved stays saved: when the others cannot be read, that is remarked, and no fault. */
export function remarksOn<Stored>(
  repository: Pick<ConnectorRepository, 'everything'>,
  look: Look<Stored>,
  { logger, now }: RemarksDependencies,
): (connector: Stored) => Promise<Warning[]> {
  const everything = async (): Promise<Surroundings | null> => {
    try {
      return await inTime(repository.everything())
    } catch (error) {
      logger.error('A saved connector could not be compared with the others', error as Error)
      return null
    }
  }
  return async (connector) => look(connector, await everything(), new Date(now()))
}

async function inTime<T>(result: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`Not read within ${patienceMs} ms`)), patienceMs)
  try {
    return await Promise.race([result, late])
  } finally {
    clearTimeout(timer)
  }
}
