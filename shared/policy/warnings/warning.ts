import * as z from 'zod'
import type { ConnectorSet } from '../snapshot.ts'

export const Warning = z.strictObject({
  path: z.string().describe('the field, such as senderIpAddresses[0]; empty for the whole connector'),
  message: z.string(),
})
export type Warning = z.output<typeof Warning>

/** All connectors and accepted domains, with or without the connector in question. */
export type ComparedConnectors = Omit<ConnectorSet, 'version'>

/**
 * `WhatWeakens` leaves out overlaps where the more specific connector requires all that the other requires, because
 * that is the intended use of domain patterns. The response to one write includes these overlaps. In a list of hundreds
 * of connectors they would hide the important warnings.
 */
export type WarningScope = 'Everything' | 'WhatWeakens'

export interface WarningOptions {
  scope?: WarningScope
  /**
   * Whether deliveries leave from the VPC. Outside it, a Lambda function has no outbound port 25, and AWS does not lift
   * that limit (AWS re:Post, "How do I remove the restriction on port 25 from my Amazon EC2 instance or Lambda
   * function?").
   */
  deliversInVpc?: boolean
  /** Whether deliveries ask resolvers that may validate DNSSEC. Amazon's VPC resolver sets no AD bit. */
  validatesDnssec?: boolean
}
