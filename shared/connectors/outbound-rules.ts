/** The rules for an outbound connector that span several of its fields. */
import { isIP } from 'node:net'
import type { DefaultRoute, OutboundFields } from './outbound-fields.ts'
import type { SpanningRule } from './spanning-rules.ts'

/** @param defaultRoute so that a message explains a route that the connector does not name; null if it names one */
export const outboundRules = (defaultRoute: DefaultRoute | null): SpanningRule<OutboundFields>[] => [
  {
    at: 'allAcceptedDomains',
    reads: ['connectorType', 'allAcceptedDomains'],
    isBroken: (connector) => connector.allAcceptedDomains && connector.connectorType !== 'OnPremises',
    message: 'is for OnPremises connectors only',
  },
  {
    at: 'recipientDomains',
    reads: ['recipientDomains', 'allAcceptedDomains'],
    isBroken: (connector) => connector.recipientDomains.length === 0 && !connector.allAcceptedDomains,
    message: 'needs at least one domain, unless allAcceptedDomains is true',
  },
  {
    at: 'smartHosts',
    reads: ['route', 'smartHosts'],
    isBroken: (connector) => connector.route === 'SmartHosts' && connector.smartHosts.length === 0,
    message: 'needs at least one host when route is SmartHosts',
  },
  {
    at: 'smartHosts',
    reads: ['route', 'smartHosts'],
    isBroken: (connector) => connector.route !== 'SmartHosts' && connector.smartHosts.length > 0,
    message: (connector) =>
      `must be empty when route is ${connector.route}${defaultNote(connector, defaultRoute)}`,
  },
  {
    at: 'tlsDomain',
    reads: ['tlsSettings', 'tlsDomain'],
    isBroken: (connector) => connector.tlsSettings === 'DomainValidation' && connector.tlsDomain === null,
    message: 'is needed when tlsSettings is DomainValidation',
  },
  {
    at: 'tlsDomain',
    reads: ['tlsSettings', 'tlsDomain'],
    isBroken: (connector) => connector.tlsSettings !== 'DomainValidation' && connector.tlsDomain !== null,
    message: 'must be null unless tlsSettings is DomainValidation',
  },
  {
    at: 'tlsSettings',
    reads: ['route', 'tlsSettings'],
    isBroken: (connector) =>
      connector.route === 'Ses' &&
      connector.tlsSettings !== null &&
      connector.tlsSettings !== 'EncryptionOnly',
    message: (connector) =>
      `Amazon SES can require TLS but cannot verify the partner's certificate, so ${connector.tlsSettings} needs route Mx or SmartHosts${defaultNote(connector, defaultRoute)}`,
  },
  {
    at: 'clientCertificate',
    reads: ['route', 'clientCertificate'],
    isBroken: (connector) => connector.route === 'Ses' && connector.clientCertificate !== null,
    message: (connector) =>
      `Amazon SES does not present a client certificate to the next hop${defaultNote(connector, defaultRoute)}`,
  },
  {
    at: 'minimumTlsVersion',
    reads: ['route', 'minimumTlsVersion'],
    isBroken: (connector) => connector.route === 'Ses' && connector.minimumTlsVersion === 'TLSv1.3',
    message: (connector) =>
      `Amazon SES does not let a sender choose TLSv1.3 as the minimum${defaultNote(connector, defaultRoute)}`,
  },
  {
    at: 'smtpDaneMode',
    reads: ['route', 'smtpDaneMode'],
    isBroken: (connector) => connector.route === 'Ses' && connector.smtpDaneMode === 'Mandatory',
    message: (connector) =>
      `Amazon SES does not check TLSA records on request, so Mandatory needs route Mx or SmartHosts${defaultNote(connector, defaultRoute)}`,
  },
  {
    at: 'smtpDaneMode',
    reads: ['route', 'smartHosts', 'smtpDaneMode'],
    isBroken: (connector) =>
      connector.smtpDaneMode === 'Mandatory' && connector.smartHosts.some(({ host }) => isIP(host) !== 0),
    message: (connector) =>
      `an IP address has no TLSA records, so Mandatory needs smartHosts by name, not ${connector.smartHosts.find(({ host }) => isIP(host) !== 0)?.host}`,
  },
  {
    at: 'mtaStsMode',
    reads: ['route', 'mtaStsMode'],
    isBroken: (connector) =>
      connector.mtaStsMode === 'Mandatory' && (connector.route === 'Ses' || connector.route === 'SmartHosts'),
    message: (connector) =>
      connector.route === 'Ses'
        ? `Amazon SES does not check MTA-STS policies on request, so Mandatory needs route Mx${defaultNote(connector, defaultRoute)}`
        : 'an MTA-STS policy lists the MX hosts of a domain and no smart hosts, so Mandatory needs route Mx; for smart hosts use tlsSettings or smtpDaneMode',
  },
  {
    at: 'minimumTlsVersion',
    reads: ['tlsSettings', 'minimumTlsVersion'],
    isBroken: (connector) => connector.minimumTlsVersion === 'TLSv1.3' && connector.tlsSettings === null,
    message: 'TLSv1.3 needs tlsSettings; without it mail is sent in the clear where TLS fails',
  },
]

const defaultNote = ({ route }: OutboundFields, defaultRoute: DefaultRoute | null): string =>
  route === defaultRoute ? `; if route is missing, it is ${route}, the default of this deployment` : ''
