import type { OutboundConnector, OutboundValidation } from '../../api/types.ts'

/**
 * The validation that this page requested, unless the connector has changed since, or another person validated it later.
 */
export const latestValidation = (
  requested: OutboundValidation | null,
  { version, validation }: Pick<OutboundConnector, 'version' | 'validation'>,
): OutboundValidation | null =>
  requested?.connectorVersion === version && !(validation !== null && validation.at > requested.at)
    ? requested
    : validation
