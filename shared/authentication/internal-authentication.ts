import type { MessageAuthentication } from '../contract/authentication.ts'

/**
 * Returns the result for internal mail, of which nothing is checked. RFC 8601 §2.2: `none` says that no method was
 * applied.
 * @param hostname the name of this gateway
 */
export const internalAuthentication = (
  connectorName: string,
  hostname: string,
  at: Date,
): MessageAuthentication => ({
  at: at.toISOString(),
  internal: connectorName,
  spf: null,
  dkim: [],
  dmarc: null,
  arc: null,
  fields: `Authentication-Results: ${hostname}; none (internal mail is not checked)\r\n`,
})
