/** The fields of connectors: in which step they are, what their controls hold, and when the API permits them. Pure. */
import type { ConnectorDirection } from '../partners/connector-text.ts'

/** The steps in the order of the Exchange admin center. */
export const steps = ['FromTo', 'Name', 'Use', 'Routing', 'Security', 'DryRun', 'Review'] as const
export type Step = (typeof steps)[number]

/** What a control holds. Lists and numbers are texts, as they are typed. */
export type Values = Readonly<Record<string, unknown>>

export type FieldKind =
  | 'Name'
  | 'Text'
  | 'TextOrNull'
  | 'CertificateNameOrNull'
  | 'Value'
  | 'Number'
  | 'NumberOrNull'
  | 'Patterns'
  | 'CertificateNames'
  | 'Domains'
  | 'Ranges'
  | 'Fingerprints'
  | 'Certificates'
  | 'Hosts'
  | 'Tenant'

export interface Field {
  name: string
  step: Step
  kind: FieldKind
  /** The API's default, which an absent field has. */
  absent: unknown
  /** Of a new connector, where it is not the default. */
  initial?: unknown
  /** Whether the API permits the field with these values; otherwise its default is written. */
  isPermitted?(values: Values): boolean
  /** What is missing, for a field that these values need. */
  missing?(values: Values): string | null
}

const isPartner = ({ connectorType }: Values): boolean => connectorType === 'Partner'
const isOnPremises = (values: Values): boolean => !isPartner(values)
const isEmpty = (value: unknown): boolean => String(value ?? '').trim() === ''

const shared: readonly Field[] = [
  { name: 'connectorType', step: 'FromTo', kind: 'Value', absent: 'Partner' },
  { name: 'name', step: 'Name', kind: 'Name', absent: '' },
  { name: 'comment', step: 'Name', kind: 'Text', absent: '' },
  { name: 'enabled', step: 'Name', kind: 'Value', absent: true },
  { name: 'mode', step: 'Name', kind: 'Value', absent: 'Enforce', initial: 'ReportOnly' },
]

export const inboundFields: readonly Field[] = [
  ...shared,
  { name: 'onViolation', step: 'Name', kind: 'Value', absent: 'Bounce', initial: 'Defer' },
  {
    name: 'senderDomains',
    step: 'Use',
    kind: 'Patterns',
    absent: [],
    missing: ({ senderDomains }) => (isEmpty(senderDomains) ? 'List at least one domain.' : null),
  },
  { name: 'associatedAcceptedDomains', step: 'Use', kind: 'Domains', absent: [] },
  {
    name: 'senderIpAddresses',
    step: 'Routing',
    kind: 'Ranges',
    absent: [],
    missing: (values) =>
      isOnPremises(values) &&
      isEmpty(values.senderIpAddresses) &&
      isEmpty(values.tlsSenderCertificateNames) &&
      isEmpty(values.certificateFingerprints)
        ? 'Your servers are identified by a certificate name, a fingerprint or an address. List one at least.'
        : values.restrictDomainsToIpAddresses === true && isEmpty(values.senderIpAddresses)
          ? 'List the addresses from which mail is accepted.'
          : null,
  },
  {
    name: 'tlsSenderCertificateNames',
    step: 'Routing',
    kind: 'CertificateNames',
    absent: [],
    missing: (values) =>
      values.restrictDomainsToCertificate === true &&
      isEmpty(values.tlsSenderCertificateNames) &&
      isEmpty(values.certificateFingerprints)
        ? 'List a name, or a fingerprint below.'
        : null,
  },
  { name: 'certificateFingerprints', step: 'Routing', kind: 'Fingerprints', absent: [] },
  {
    name: 'restrictDomainsToCertificate',
    step: 'Routing',
    kind: 'Value',
    absent: false,
    isPermitted: isPartner,
  },
  {
    name: 'restrictDomainsToIpAddresses',
    step: 'Routing',
    kind: 'Value',
    absent: false,
    isPermitted: isPartner,
  },
  {
    name: 'exchangeOnline',
    step: 'Routing',
    kind: 'Tenant',
    absent: null,
    isPermitted: isOnPremises,
  },
  { name: 'requireTls', step: 'Security', kind: 'Value', absent: true },
  { name: 'minimumTlsVersion', step: 'Security', kind: 'Value', absent: 'TLSv1.2' },
  { name: 'requireDmarc', step: 'Security', kind: 'Value', absent: false, isPermitted: isPartner },
  { name: 'certificateAuthorities', step: 'Security', kind: 'Certificates', absent: [] },
  { name: 'revocationCheck', step: 'Security', kind: 'Value', absent: 'SoftFail' },
  { name: 'requireClientAuthEku', step: 'Security', kind: 'Value', absent: false },
  {
    name: 'treatMessagesAsInternal',
    step: 'Security',
    kind: 'Value',
    absent: false,
    isPermitted: isOnPremises,
  },
  { name: 'messageRateLimit', step: 'Security', kind: 'NumberOrNull', absent: null },
]

export const outboundFields: readonly Field[] = [
  ...shared,
  { name: 'onTlsFailure', step: 'Name', kind: 'Value', absent: 'Defer' },
  {
    name: 'recipientDomains',
    step: 'Use',
    kind: 'Patterns',
    absent: [],
    missing: (values) =>
      isEmpty(values.recipientDomains) && !(isOnPremises(values) && values.allAcceptedDomains === true)
        ? 'List at least one domain.'
        : null,
  },
  { name: 'allAcceptedDomains', step: 'Use', kind: 'Value', absent: false, isPermitted: isOnPremises },
  { name: 'route', step: 'Routing', kind: 'Value', absent: 'Mx' },
  {
    name: 'smartHosts',
    step: 'Routing',
    kind: 'Hosts',
    absent: [],
    isPermitted: ({ route }) => route === 'SmartHosts',
    missing: ({ smartHosts }) => (isEmpty(smartHosts) ? 'List at least one smart host.' : null),
  },
  {
    name: 'tlsSettings',
    step: 'Security',
    kind: 'Value',
    absent: null,
    // The name in the certificate of the servers is not known yet, and a wrong one would defer all mail.
    initial: 'EncryptionOnly',
  },
  {
    name: 'tlsDomain',
    step: 'Security',
    kind: 'CertificateNameOrNull',
    absent: null,
    isPermitted: ({ tlsSettings }) => tlsSettings === 'DomainValidation',
    missing: ({ tlsDomain }) =>
      isEmpty(tlsDomain) ? 'DomainValidation needs the name in the server’s certificate.' : null,
  },
  { name: 'minimumTlsVersion', step: 'Security', kind: 'Value', absent: 'TLSv1.2' },
  { name: 'certificateAuthorities', step: 'Security', kind: 'Certificates', absent: [] },
  { name: 'revocationCheck', step: 'Security', kind: 'Value', absent: 'SoftFail' },
  { name: 'smtpDaneMode', step: 'Security', kind: 'Value', absent: 'Opportunistic' },
  { name: 'mtaStsMode', step: 'Security', kind: 'Value', absent: 'Opportunistic' },
  {
    name: 'clientCertificate',
    step: 'Security',
    kind: 'TextOrNull',
    absent: null,
    isPermitted: ({ route }) => route !== 'Ses',
  },
  { name: 'expirationHours', step: 'Security', kind: 'Number', absent: 24 },
]

export const fieldsOf = (direction: ConnectorDirection): readonly Field[] =>
  direction === 'inbound' ? inboundFields : outboundFields

/** The list of domains that the connector is for. */
export const domainField = (direction: ConnectorDirection): string =>
  direction === 'inbound' ? 'senderDomains' : 'recipientDomains'
