/** Names of the metrics that the units emit and that the dashboard and the alarms read. */
export const metricNamespace = 'mailflow'

export const Metric = {
  /** Ingress: SMTP sessions open in this task (gauge). */
  connections: 'Connections',
  /** Ingress: messages answered 250, dimension `tls` = `negotiated` | `plaintext`. */
  messagesAccepted: 'MessagesAccepted',
  /** Ingress: connections, commands, recipients and messages refused in session, dimension `reason`. */
  refused: 'Refused',
  /** Ingress: TLS handshakes that failed; once without dimensions, and once with dimension `cause` (tls/failures.ts). */
  tlsHandshakesFailed: 'TlsHandshakesFailed',
  /** Ingress: days until the first of its own certificates expires (gauge); below 0 when it has. */
  certificateDaysLeft: 'CertificateDaysLeft',
  /**
   * Ingress, at every reading, and rotation, at every run: certificates of ours that are at fault and therefore not
   * served, or served only since there is none better.
   */
  certificatesRefused: 'CertificatesRefused',
  /** Ingress: times that its certificates could not be read anew; those of before are served on. */
  certificateReadsFailed: 'CertificateReadsFailed',
  /** Ingress: messages refused because content or job could not be stored, or the task's own disk failed. */
  storageFailures: 'StorageFailures',
  /** Evaluation: one for each recipient, dimension `action` = `Deliver` | `Defer` | `Bounce`. */
  verdicts: 'Verdicts',
  /** Evaluation: recipients held or bounced because forced TLS was not met. */
  forcedTlsFailures: 'ForcedTlsFailures',
  /** Evaluation: recipients held or bounced because of what their domain publishes or the sender asks for. */
  publishedTlsFailures: 'PublishedTlsFailures',
  /** Evaluation (inbound) and delivery (outbound): what a connector in `ReportOnly` mode would have refused. */
  reportOnlyViolations: 'ReportOnlyViolations',
  /** Evaluation: recipients of an accepted domain that no outbound connector routes. */
  unroutedRecipients: 'UnroutedRecipients',
  /**
   * Ingress and evaluation: messages, refused or decided, whose certificate a connector asks for and does not know;
   * once without dimensions, and once with dimension `connector`, its name.
   */
  unknownCertificates: 'UnknownCertificates',
  /**
   * Evaluation: notices published, dimension `connector`; beside it, in the metric's own record, the fingerprints
   * `accepted` (`none` when none was before) and `presented`.
   */
  noticesPublished: 'NoticesPublished',
  /** Ingress and evaluation: notices to the administrator that could not be passed on or published. */
  noticesFailed: 'NoticesFailed',
  /** Delivery: recipients handed on, dimension `tls` = `verified` | `encrypted` | `plaintext` | `unknown` (SES). */
  delivered: 'Delivered',
  /** Delivery: recipients whose attempt failed since a connector's client certificate cannot be used. */
  clientCertificatesUnusable: 'ClientCertificatesUnusable',
  /** Delivery: attempts that did not deliver. */
  attemptsFailed: 'AttemptsFailed',
  /** Delivery: attempts made again because a lease ran out mid-transaction; each may be a duplicate. */
  leasesExpired: 'LeasesExpired',
  /** Delivery: attempts whose message was sent whole and never answered; the next may be a duplicate. */
  repliesLost: 'RepliesLost',
  /** Delivery: recipients that went back to be decided again, since connectors had changed. */
  handedBack: 'HandedBack',
  /** Delivery: jobs that went back to the queue with nothing begun, dimension `reason` = `NoPlace` | `NoPlaceAmongSlow` | `NoTime`. */
  postponed: 'Postponed',
  /** Delivery: sessions, dimension `result` = `success` or a result type of RFC 8460 §4.3. */
  tlsResults: 'TlsResults',
  /** Delivery: sessions that could not be written down for the reports of the day. */
  sessionsUncounted: 'SessionsUncounted',
  /** Delivery: reports on TLS that were kept, dimension `authenticated` = `pass` | `fail` | `none`. */
  tlsReportsReceived: 'TlsReportsReceived',
  /** Delivery: mails to the address for reports that held none. */
  tlsReportsIgnored: 'TlsReportsIgnored',
  /** Report: reports on TLS handed over, dimension `by` = `mail` | `https`. */
  tlsReportsSent: 'TlsReportsSent',
  /** Report: reports that for a fault of ours could not be sent, and are not tried again. */
  tlsReportsFailed: 'TlsReportsFailed',
  /** Report: reports that were not taken where their domain wants them, and are not tried again. */
  tlsReportsUndeliverable: 'TlsReportsUndeliverable',
  /** Evaluation: messages of our own from `<>` (DSNs, reports on TLS) that bounced, of which nobody is told. */
  ownMailUndelivered: 'OwnMailUndelivered',
  /**
   * Delivery and evaluation: issuers or keys that a partner changed; once without dimensions, and once with dimension
   * `connector`, its name.
   */
  partnerCertificatesChanged: 'PartnerCertificatesChanged',
  /** Delivery and evaluation: certificates that were seen and could not be written down. */
  certificatesUnwritten: 'CertificatesUnwritten',
  /**
   * Foresight: days until the first certificate in use of a partner expires (gauge); below 0 when it has. Without
   * further dimensions of those that a connector verifies, and with dimension `connector` of each connector.
   */
  partnerCertificateDaysLeft: 'PartnerCertificateDaysLeft',
  /** Foresight: the same of our own, with dimension `connector` of what we show to next hops. */
  ownCertificateDaysLeft: 'OwnCertificateDaysLeft',
  /** Bounce: DSNs sent, dimension `kind` = `failed` | `delayed` | `relayed` | `delivered`. */
  dsnsSent: 'DsnsSent',
} as const

/** A name as CloudWatch takes it for a dimension: printable ASCII that does not begin with a colon. */
export const asDimension = (name: string): string => name.replace(/[^ -~]|^:/g, '?')
