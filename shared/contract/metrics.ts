/** Names of the metrics that units publish, and that dashboard and alarms read. */
export const metricNamespace = 'mailflow'

/** Milliseconds from one writing of the metrics of an ingress task to the next; an alarm counts tasks by it. */
export const ingressMetricsIntervalMs = 10_000

export const Metric = {
  /** Ingress: SMTP sessions open in this task (gauge). */
  connections: 'Connections',
  /** Ingress: messages accepted with 250, dimension `tls` = `negotiated` | `plaintext`. */
  messagesAccepted: 'MessagesAccepted',
  /** Ingress: messages accepted with 250, dimension `version` = `TLSv1.3` | `TLSv1.2` | `none`. */
  acceptedByTlsVersion: 'AcceptedByTlsVersion',
  /** Ingress: connections, commands, recipients and messages refused in session, dimension `reason`. */
  refused: 'Refused',
  /**
   * Ingress: recipients accepted because their list or mailbox server did not say whether they exist, and those refused
   * with 451 because `check-recipient` was throttled.
   */
  recipientChecksFailed: 'RecipientChecksFailed',
  /**
   * Ingress: failed TLS handshakes; once for the stack, and once with dimension `cause`
   * (functions/smtp-ingress/tls/handshake-failure.ts).
   */
  tlsHandshakesFailed: 'TlsHandshakesFailed',
  /** Ingress: days until its first certificate expires (gauge); negative after expiry. */
  certificateDaysLeft: 'CertificateDaysLeft',
  /**
   * Ingress at every reading, and rotation at every run: certificates of the ingress with a fault. They are not served
   * unless no better certificate exists.
   */
  certificatesRefused: 'CertificatesRefused',
  /** Rotation: 1 in each run in which the next certificate waits for its TLSA record. */
  nextCertificateWaiting: 'NextCertificateWaiting',
  /** Ingress: failed readings of its certificates; the ingress keeps the previous certificates. */
  certificateReadsFailed: 'CertificateReadsFailed',
  /** Ingress: messages refused because content or job could not be stored, or the spool failed. */
  storageFailures: 'StorageFailures',
  /** Authentication, evaluation, delivery and bounce: jobs that have failed for about a quarter of an hour, at each further failure. */
  jobsFailing: 'JobsFailing',
  /**
   * Authentication: messages, dimension `dmarc` = a result of RFC 8601 §2.7, such as `pass` | `fail` | `none` |
   * `temperror`.
   */
  authenticated: 'Authenticated',
  /**
   * Authentication: messages that went on without results, dimension `reason` = `ContentDeleted` | `Failed` |
   * `WorkerDied`.
   */
  authenticationsFailed: 'AuthenticationsFailed',
  /** Evaluation: one for each recipient, dimension `action` = `Deliver` | `Defer` | `Bounce`. */
  verdicts: 'Verdicts',
  /**
   * Evaluation: seconds since the receipt of a message that is deferred (gauge), at each deferral and so at least every
   * quarter of an hour. The maximum is the age of the oldest deferred message.
   */
  deferredAge: 'DeferredAge',
  /** Evaluation: recipients held or bounced because forced TLS was not met. */
  forcedTlsFailures: 'ForcedTlsFailures',
  /** Evaluation: recipients held or bounced because of their domain's published policy or the sender's REQUIRETLS. */
  publishedTlsFailures: 'PublishedTlsFailures',
  /** Evaluation (inbound) and delivery (outbound): mail that a connector in `ReportOnly` mode would have refused. */
  reportOnlyViolations: 'ReportOnlyViolations',
  /** Evaluation: recipients of an accepted domain that no outbound connector routes. */
  unroutedRecipients: 'UnroutedRecipients',
  /**
   * Ingress and evaluation: messages with an unknown certificate at a connector that expects one; once for the stack,
   * and once with dimension `connector`, its name.
   */
  unknownCertificates: 'UnknownCertificates',
  /**
   * Evaluation: notices published, dimension `connector`. The metric's record also holds the fingerprints `accepted`
   * (or `none`) and `presented`.
   */
  noticesPublished: 'NoticesPublished',
  /** Ingress and evaluation: notices that could not be sent to the queue or published. */
  noticesFailed: 'NoticesFailed',
  /**
   * Delivery: recipients delivered to a next hop, dimension `tls` = `verified` | `encrypted` | `plaintext` |
   * `unknown` (SES).
   */
  delivered: 'Delivered',
  /**
   * Delivery: recipients delivered to a next hop, dimension `version` = `TLSv1.3` | `TLSv1.2` | `none` | `unknown`
   * (SES).
   */
  deliveredByTlsVersion: 'DeliveredByTlsVersion',
  /** Delivery: recipients whose attempt failed because a connector's client certificate is unusable. */
  clientCertificatesUnusable: 'ClientCertificatesUnusable',
  /**
   * Delivery: recipients that SES does not take because of the account: identity, pause, configuration set, permission,
   * or the quota of 24 hours.
   */
  sesUnavailable: 'SesUnavailable',
  /** Delivery: percentage of the account's SES quota of 24 hours that is used (gauge), while mail goes through SES. */
  sesQuotaUsed: 'SesQuotaUsed',
  /** Delivery: attempts that did not deliver. */
  attemptsFailed: 'AttemptsFailed',
  /**
   * Delivery: attempts repeated because a lease expired in the middle of a transaction; each may create a duplicate.
   */
  leasesExpired: 'LeasesExpired',
  /** Delivery: attempts that sent the whole message and got no reply; the next attempt may create a duplicate. */
  repliesLost: 'RepliesLost',
  /** Delivery: recipients returned for a new decision because connectors had changed. */
  returnedForDecision: 'ReturnedForDecision',
  /**
   * Delivery: jobs returned to the queue without an attempt, dimension `reason` = `NoSlot` |
   * `NoSlotForSlowHost` | `NoTime` | `SesRate` | `SesDailyQuota`.
   */
  returnedToQueue: 'ReturnedToQueue',
  /** Delivery: sessions, dimension `result` = `success` or a result type of RFC 8460 §4.3. */
  tlsResults: 'TlsResults',
  /** Delivery: sessions that are missing in the day's TLS reports because their counts could not be stored. */
  sessionsUncounted: 'SessionsUncounted',
  /** Delivery: received TLS reports that were stored, dimension `authenticated` = `pass` | `fail` | `none`. */
  tlsReportsReceived: 'TlsReportsReceived',
  /** Delivery: messages to the report address without a TLS report. */
  tlsReportsIgnored: 'TlsReportsIgnored',
  /**
   * Delivery: seconds from the time at which a canary was sent to its arrival in deliver-message. Missing while no
   * canary arrives.
   */
  canarySeconds: 'CanarySeconds',
  /** Canary sender: canaries that the ingress did not accept; the log states why. */
  canariesFailed: 'CanariesFailed',
  /** TLS reporter: TLS reports sent, dimension `by` = `mail` | `https`. */
  tlsReportsSent: 'TlsReportsSent',
  /** TLS reporter: TLS reports given up because of a fault in this deployment, and last runs that ran out of time. */
  tlsReportsFailed: 'TlsReportsFailed',
  /** TLS reporter: TLS reports given up because the domain's report address did not accept them. */
  tlsReportsUndeliverable: 'TlsReportsUndeliverable',
  /** Evaluation: bounced messages that this deployment sent from `<>` (DSNs, TLS reports, summaries). No DSN follows. */
  ownMailUndelivered: 'OwnMailUndelivered',
  /**
   * Delivery and evaluation: issuers or keys that a partner changed; once for the stack, and once with dimension
   * `connector`, its name.
   */
  partnerCertificatesChanged: 'PartnerCertificatesChanged',
  /** Delivery and evaluation: observed certificates that could not be stored. */
  certificatesUnwritten: 'CertificatesUnwritten',
  /**
   * Expiry watch: days until a partner's first certificate in use expires (gauge); negative after expiry. Without
   * further dimensions it covers certificates that a connector verifies; with dimension `connector` it covers that
   * connector's certificates.
   */
  partnerCertificateDaysLeft: 'PartnerCertificateDaysLeft',
  /**
   * Expiry watch: days until the first of mailflow's certificates expires (gauge). With dimension `connector`: the
   * client certificate of that connector.
   */
  ownCertificateDaysLeft: 'OwnCertificateDaysLeft',
  /** Expiry watch: enabled connectors that make the gateway an open relay (gauge). */
  openRelays: 'OpenRelays',
  /** Sealing: events that the trace requires and that no seal has; each seal of a shard publishes its number. */
  eventsMissing: 'EventsMissing',
  /** Sealing: hours that an earlier run should have sealed (gauge), in each scheduled run. */
  hoursUnsealed: 'HoursUnsealed',
  /** Bounce: DSNs sent, dimension `kind` = `failed` | `delayed` | `relayed` | `delivered`. */
  dsnsSent: 'DsnsSent',
  /**
   * Bounce: DSNs that a sender whom nothing identifies does not get, dimension `reason` = `SenderUnverified` | `TooLarge`
   * | `Rate`.
   */
  dsnsSuppressed: 'DsnsSuppressed',
} as const

/** Returns a valid CloudWatch dimension value: printable ASCII that does not begin with a colon. */
export const dimensionValue = (name: string): string => name.replace(/[^ -~]|^:/g, '?')

/**
 * Field of evaluate-policy's log line of a verdict that counts in `ForcedTlsFailures`: the connector's name. A dimension
 * would create a metric for each connector.
 */
export const forcedTlsFailureField = 'forcedTlsFailure'
