import { z } from 'zod'
import type { ConnectorSet } from '../snapshot.ts'

export const Warning = z.strictObject({
  path: z.string().describe('the field, such as senderIpAddresses[0]; empty for the whole connector'),
  message: z.string(),
})
export type Warning = z.output<typeof Warning>

/** All connectors and accepted domains, with or without the connector in question. */
export type OtherConnectors = Omit<ConnectorSet, 'version'>

/**
 * `WhatWeakens` leaves out overlaps where the more specific connector requires all that the other does: domain patterns
 * are meant for that. The answer to one write includes them; in a list of hundreds they would hide what matters.
 */
export type WarningScope = 'Everything' | 'WhatWeakens'
