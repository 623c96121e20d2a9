/** The options that select mail which waits. */
import * as z from 'zod'
import { waitingReasons } from '../../shared/policy/reasons.ts'
import type { ApiClient } from '../api/api-client.ts'
import { UsageError } from '../command-error.ts'
import { findConnectorId } from '../connectors/find-connectors.ts'

const directions = ['Originating', 'Incoming']

export const filterOptions = {
  partner: {
    type: 'string',
    value: 'DOMAIN',
    description:
      'the domain that the mail waits for, or whose mail a connector holds; none: without a domain',
  },
  reason: {
    type: 'string',
    value: 'REASON',
    description: 'such as RetryLater, OutboundTlsNotMet or InboundTlsRequired; "queues" shows them',
  },
  connector: {
    type: 'string',
    value: 'NAME|ID',
    description: 'the connector that decided; also the id of a deleted one. none: no connector decided',
  },
  direction: { type: 'string', value: 'DIRECTION', description: directions.join(' or ') },
} as const

export type FilterValues = Readonly<Record<keyof typeof filterOptions, string | undefined>>

/** Absent fields select everything. */
export interface QueueFilter {
  readonly partner?: string
  readonly reason?: string
  readonly connector?: string
  readonly direction?: string
}

export async function readFilter(values: FilterValues, api: ApiClient): Promise<QueueFilter> {
  const { partner, connector } = values
  const reason = oneOf('--reason', values.reason, waitingReasons)
  const direction = oneOf('--direction', values.direction, directions)
  return {
    ...(partner !== undefined && { partner }),
    ...(reason !== undefined && { reason }),
    ...(connector !== undefined && { connector: await connectorId(connector, api) }),
    ...(direction !== undefined && { direction }),
  }
}

/** Ignores letter case. */
function oneOf(option: string, text: string | undefined, values: readonly string[]): string | undefined {
  if (text === undefined) return undefined
  const value = values.find((each) => each.toLowerCase() === text.toLowerCase())
  if (value !== undefined) return value
  throw new UsageError(`${option} ${text}: not one of ${values.join(', ')}`)
}

/** A deleted connector has no name any more. A connector that is named like the word is found by its id. */
const connectorId = async (text: string, api: ApiClient): Promise<string> =>
  z.ulid().safeParse(text).success ? text.toUpperCase() : text === 'none' ? text : findConnectorId(api, text)
