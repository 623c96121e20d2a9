/** Machine-readable reasons of decisions, as stored in the trace. */
export type Reason =
  /** An outbound connector matched. */
  | 'ConnectorMatched'
  /** The current connectors require less than the first decision did, so its requirement and route apply. */
  | 'RequirementKept'
  /** No outbound connector matched, so the deployment's default route applies. */
  | 'DefaultRoute'
  /** The recipient is the address for reports on TLS. */
  | 'TlsReport'
  /** The message is a canary. */
  | 'Canary'
  | 'InboundTlsRequired'
  | 'InboundTlsVersion'
  | 'InboundCertificateRestriction'
  | 'InboundAddressRestriction'
  /** The message does not pass DMARC, which a connector requires. */
  | 'InboundDmarcRequired'
  /** The recipient is outside the accepted domains, and the client is not the organisation's own server. */
  | 'RelayDenied'
  /** The reverse path has no valid domain. */
  | 'UnreadableSender'
  /** The recipient has no domain name: it is an address literal, for example. */
  | 'NotRoutable'
  /** No outbound connector routes the recipient's accepted domain. */
  | 'NoRouteForAcceptedDomain'
  /** The last attempt failed temporarily. */
  | 'RetryLater'
  /** The next hop did not meet the TLS requirement in the last attempt. */
  | 'OutboundTlsNotMet'
  /** The next hop refused permanently, or lacks an extension that the message needs. */
  | 'RefusedByNextHop'
  /** The recipient's domain has no mail server (RFC 7505 null MX, or no address). */
  | 'NoNextHop'
  /** An administrator returned the message to its sender. */
  | 'ReturnedByAdministrator'
  /** An administrator dropped the message: it bounces without a DSN. */
  | 'DroppedByAdministrator'
  /** Attempts failed until the message expired. */
  | 'Expired'

/** Reasons for which an inbound connector refuses or holds a message. */
export const violationReasons = [
  'InboundTlsRequired',
  'InboundTlsVersion',
  'InboundCertificateRestriction',
  'InboundAddressRestriction',
  'InboundDmarcRequired',
] as const satisfies readonly Reason[]

/** Reasons of deferrals. */
export const waitingReasons = [
  ...violationReasons,
  'NoRouteForAcceptedDomain',
  'RetryLater',
  'OutboundTlsNotMet',
] as const satisfies readonly Reason[]

/** @param reason of a decision, as stored in the trace */
export const isViolationReason = (reason: string): boolean =>
  (violationReasons as readonly string[]).includes(reason)
