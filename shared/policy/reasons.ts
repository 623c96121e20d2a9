/** Machine-readable reasons of decisions, as they stand in the trace. */
export type Reason =
  /** An outbound connector matched and the mail may leave by it. */
  | 'ConnectorMatched'
  /** No connector matched; the deployment's default route. */
  | 'DefaultRoute'
  /** The address that takes reports on TLS. */
  | 'TlsReport'
  | 'InboundTlsRequired'
  | 'InboundTlsVersion'
  | 'InboundCertificateRestriction'
  | 'InboundAddressRestriction'
  /** A recipient outside the accepted domains, and the sender is not our own organisation. */
  | 'RelayDenied'
  /** A reverse path whose domain is none. */
  | 'UnreadableSender'
  /** A recipient without a domain name, such as an address literal. */
  | 'NotRoutable'
  /** A recipient of an accepted domain that no outbound connector routes. */
  | 'NoRouteForAcceptedDomain'
  /** The last attempt failed for now. */
  | 'RetryLater'
  /** The last attempt did not meet what is demanded of the next hop's TLS. */
  | 'OutboundTlsNotMet'
  /** The next hop refused for good, or does not take what the message needs. */
  | 'RefusedByNextHop'
  /** The recipient's domain has no mail server, and says so. */
  | 'NoNextHop'
  /** Tried until the message expired. */
  | 'Expired'
