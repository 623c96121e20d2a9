/** What a warning is, and what it is made from. */
import { z } from 'zod'
import type { ConnectorSet } from '../snapshot.ts'

export const Warning = z.strictObject({
  path: z.string().describe('the field it is about, such as senderIpAddresses[0]; empty for the whole'),
  message: z.string(),
})
export type Warning = z.output<typeof Warning>

/** All connectors and accepted domains, whether or not the connector in question is among them. */
export type Surroundings = Omit<ConnectorSet, 'version'>

/**
 * Of two connectors that overlap, the more specific one that demands all that the other does is what domain patterns
 * are for. Whoever saves one connector is told even so; among hundreds what matters would drown in it.
 */
export type Extent = 'Everything' | 'WhatWeakens'
