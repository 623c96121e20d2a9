import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import type { InboundConnector, OutboundConnector } from '../../../../shared/connectors/schema.ts'
import type { ComparedConnectors, Warning } from '../../../../shared/policy/warnings/warning.ts'
import { inboundWarnings, outboundWarnings } from '../../../../shared/policy/warnings/warnings.ts'
import { inbound, outbound } from '../../../support/fixtures.ts'
import { createPki, daysFromNow } from '../../../support/pki.ts'

const now = new Date('2026-01-15T12:00:00.000Z')

const among = (others: {
  inbound?: InboundConnector[]
  outbound?: OutboundConnector[]
  accepted?: string[]
}): ComparedConnectors => ({
  inbound: others.inbound ?? [],
  outbound: others.outbound ?? [],
  acceptedDomains: (others.accepted ?? ['ours.example']).map((domain) => ({ domain })),
})

const warningTexts = (warnings: Warning[]): string[] =>
  warnings.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))

/** `from()` and `to()` are a pair of connectors that cause no warnings. */
const from = (fields: Partial<InboundConnector> = {}) => inbound({ name: 'In', ...fields })
const to = (fields: Partial<OutboundConnector> = {}) =>
  outbound({
    name: 'Out',
    recipientDomains: ['contoso.example'],
    tlsSettings: 'CertificateValidation',
    ...fields,
  })
const ownServer = (fields: Partial<InboundConnector> = {}) =>
  inbound({
    name: 'Ours',
    connectorType: 'OnPremises',
    senderDomains: ['*'],
    senderIpAddresses: ['192.0.2.1'],
    ...fields,
  })

describe('an inbound connector', () => {
  const paired = { outbound: [to()] }
  const rows: {
    name: string
    saved: InboundConnector
    others?: Parameters<typeof among>[0]
    warnings: string[]
  }[] = [
    {
      name: 'causes no warning with an outbound connector for its domain that forces TLS',
      saved: from(),
      others: paired,
      warnings: [],
    },
    {
      name: 'causes only the warning that nothing is enforced when it is disabled',
      saved: from({ enabled: false, senderIpAddresses: ['10.0.0.0/8'] }),
      warnings: ['enabled: nothing is enforced: the connector is disabled'],
    },
    {
      name: 'causes a warning when it is report-only',
      saved: from({ mode: 'ReportOnly' }),
      others: paired,
      warnings: ['mode: no requirement is enforced: violations are only recorded'],
    },
    {
      name: 'causes a warning when its domain has no outbound connector',
      saved: from(),
      warnings: [
        'senderDomains: mail to contoso.example is not forced to use TLS: there is no outbound connector for it',
      ],
    },
    {
      name: 'causes one warning about exactly those of its domains that have no outbound connector',
      saved: from({
        senderDomains: ['a.example', 'contoso.example', '*.b.example', 'c.example', 'd.example'],
      }),
      others: paired,
      warnings: [
        'senderDomains: mail to a.example, *.b.example, c.example and 1 more is not forced to use TLS: there is no outbound connector for them',
      ],
    },
    {
      name: 'causes a warning when the outbound connector for its domain is disabled',
      saved: from(),
      others: { outbound: [to({ enabled: false })] },
      warnings: [
        'senderDomains: mail to contoso.example is not forced to use TLS: there is no outbound connector for it',
      ],
    },
    {
      name: 'causes a warning when the outbound connector for its domain is report-only',
      saved: from(),
      others: { outbound: [to({ mode: 'ReportOnly' })] },
      warnings: [
        'senderDomains: mail to contoso.example is not forced to use TLS: outbound connector "Out" only reports',
      ],
    },
    {
      name: 'causes a warning when the outbound connector for its domain does not force TLS, although one for `*` does',
      saved: from(),
      others: { outbound: [to({ tlsSettings: null }), to({ name: 'All', recipientDomains: ['*'] })] },
      warnings: [
        'senderDomains: mail to contoso.example is not forced to use TLS: outbound connector "Out" does not force TLS',
      ],
    },
    {
      name: 'causes no warning when an outbound connector for `*` forces TLS',
      saved: from(),
      others: { outbound: [to({ recipientDomains: ['*'] })] },
      warnings: [],
    },
    {
      name: 'for subdomains causes no warning when one of them has an outbound connector',
      saved: from({ senderDomains: ['*.contoso.example'] }),
      others: { outbound: [to({ recipientDomains: ['mail.contoso.example'] })] },
      warnings: [],
    },
    {
      name: 'for `*` causes a warning that every sender without TLS is refused, and none about outbound connectors',
      saved: from({ senderDomains: ['*'] }),
      warnings: ['senderDomains[0]: mail from every sender that does not use TLS is refused'],
    },
    {
      name: 'for `*` causes a warning that mail from addresses that are not listed is held',
      saved: from({
        senderDomains: ['a.example', '*'],
        onViolation: 'Defer',
        senderIpAddresses: ['192.0.2.1'],
        restrictDomainsToIpAddresses: true,
      }),
      others: { outbound: [to({ recipientDomains: ['a.example'] })] },
      warnings: [
        'senderDomains[1]: mail from every sender that does not come from the listed addresses is held',
      ],
    },
    {
      name: "for the organisation's servers causes no warning without an outbound connector",
      saved: ownServer(),
      warnings: [],
    },
    {
      name: "for the organisation's servers causes a warning for each address range wider than /24 (IPv4) or /48 (IPv6)",
      saved: ownServer({
        senderIpAddresses: [
          '10.0.0.0/23',
          '10.1.0.0/24',
          '2001:db8::/47',
          '2001:db8:1::/48',
          '::ffff:10.2.0.0/119',
          '::ffff:10.3.0.0/120',
        ],
      }),
      warnings: [
        "senderIpAddresses[0]: 10.0.0.0/23 is wide: each of 512 addresses may relay as the organisation's own server; /24 or longer is usual",
        "senderIpAddresses[2]: 2001:db8::/47 is wide: each address in it may relay as the organisation's own server; /48 or longer is usual",
        "senderIpAddresses[4]: ::ffff:10.2.0.0/119 is wide: each of 512 addresses may relay as the organisation's own server; /24 or longer is usual",
      ],
    },
    {
      name: "for the organisation's servers causes a warning if it was saved before an open relay was refused",
      saved: { ...ownServer(), senderIpAddresses: ['0.0.0.0/1', '128.0.0.0/1'] },
      warnings: [
        'senderIpAddresses: open relay: the ranges together are wider than an IPv4 /8, and each address in them may relay: list only the addresses of your servers, or identify the servers by certificate alone',
        "senderIpAddresses[0]: 0.0.0.0/1 is wide: each of 2147483648 addresses may relay as the organisation's own server; /24 or longer is usual",
        "senderIpAddresses[1]: 128.0.0.0/1 is wide: each of 2147483648 addresses may relay as the organisation's own server; /24 or longer is usual",
      ],
    },
    {
      name: "for the organisation's servers causes a warning if it was saved before a shared certificate name was refused",
      saved: {
        ...ownServer(),
        senderIpAddresses: [],
        tlsSenderCertificateNames: ['mail.protection.outlook.com'],
      },
      warnings: [
        'tlsSenderCertificateNames: open relay: mail.protection.outlook.com is shared by all customers of Exchange Online, and each of them may relay: name only your own hosts; for your tenant, set exchangeOnline to its tenant id, and tlsSenderCertificateNames to mail.protection.outlook.com alone',
      ],
    },
    {
      name: 'for a partner causes a warning when its certificate name is shared by customers of a provider',
      saved: from({
        tlsSenderCertificateNames: ['mail.protection.outlook.com'],
        restrictDomainsToCertificate: true,
      }),
      others: paired,
      warnings: [
        'tlsSenderCertificateNames: mail.protection.outlook.com is shared by all customers of Exchange Online, so each of them passes this restriction; set requireDmarc to true',
      ],
    },
    {
      name: 'for a partner causes a warning when its addresses are shared by customers of a provider',
      saved: from({ senderIpAddresses: ['209.85.220.0/24'], restrictDomainsToIpAddresses: true }),
      others: paired,
      warnings: [
        'senderIpAddresses: 209.85.220.0/24 is shared by all customers of Google Workspace, so each of them passes this restriction; set requireDmarc to true',
      ],
    },
    {
      name: 'for a partner causes no such warning when it requires DMARC',
      saved: from({
        tlsSenderCertificateNames: ['mail.protection.outlook.com'],
        restrictDomainsToCertificate: true,
        requireDmarc: true,
      }),
      others: paired,
      warnings: [],
    },
    {
      name: 'causes a warning for each of names, fingerprints and addresses when they restrict nothing',
      saved: from({
        tlsSenderCertificateNames: ['mail.contoso.example'],
        certificateFingerprints: ['ab'.repeat(32)],
        senderIpAddresses: ['192.0.2.1'],
      }),
      others: paired,
      warnings: [
        'tlsSenderCertificateNames: restricts nothing: restrictDomainsToCertificate is false, so clients need no certificate',
        'certificateFingerprints: restricts nothing: restrictDomainsToCertificate is false, so clients need no certificate',
        'senderIpAddresses: restricts nothing: restrictDomainsToIpAddresses is false, so mail from any address is accepted',
      ],
    },
    {
      name: 'causes a warning for requireClientAuthEku without restrictDomainsToCertificate',
      saved: from({ requireClientAuthEku: true }),
      others: paired,
      warnings: [
        'requireClientAuthEku: restricts nothing: restrictDomainsToCertificate is false, so clients need no certificate',
      ],
    },
    {
      name: 'causes a warning for requireClientAuthEku with pinned certificates only, to which it does not apply',
      saved: from({
        requireClientAuthEku: true,
        restrictDomainsToCertificate: true,
        certificateFingerprints: ['ab'.repeat(32)],
      }),
      others: paired,
      warnings: ['requireClientAuthEku: restricts nothing: tlsSenderCertificateNames is empty'],
    },
    {
      name: 'causes no warning for requireClientAuthEku with a certificate name',
      saved: from({
        requireClientAuthEku: true,
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: ['mail.contoso.example'],
      }),
      others: paired,
      warnings: [],
    },
    {
      name: 'causes a warning when all senders share its messageRateLimit',
      saved: from({ senderDomains: ['contoso.example', '*'], requireTls: false, messageRateLimit: 600 }),
      others: paired,
      warnings: [
        'requireTls: the connector requires nothing: mail in the clear is accepted',
        'messageRateLimit: all senders share this limit: when one sender uses it up, mail from the others is deferred',
      ],
    },
    {
      name: 'causes a warning when any client can use up its messageRateLimit, because it restricts no client',
      saved: from({ messageRateLimit: 600 }),
      others: paired,
      warnings: [
        'messageRateLimit: any client that sends in the name of these domains can use it up: the connector requires neither certificate nor addresses',
      ],
    },
    {
      name: 'causes a warning when any client can use up its messageRateLimit, because violating mail is held and counted',
      saved: from({
        messageRateLimit: 600,
        onViolation: 'Defer',
        senderIpAddresses: ['192.0.2.1'],
        restrictDomainsToIpAddresses: true,
      }),
      others: paired,
      warnings: [
        'messageRateLimit: the limit includes held messages: any client that sends in the name of these domains can use it up',
      ],
    },
    {
      name: 'causes no warning when only the partner can use up its messageRateLimit',
      saved: from({
        messageRateLimit: 600,
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: ['mail.contoso.example'],
      }),
      others: paired,
      warnings: [],
    },
    {
      name: "for the organisation's servers causes no warning for a messageRateLimit",
      saved: ownServer({ messageRateLimit: 600 }),
      warnings: [],
    },
    {
      name: 'causes a warning when it requires nothing',
      saved: from({ requireTls: false }),
      others: paired,
      warnings: ['requireTls: the connector requires nothing: mail in the clear is accepted'],
    },
    {
      name: 'causes a warning when it takes precedence over a connector for a wildcard with the same requirements',
      saved: from({ name: 'Mail', senderDomains: ['mail.contoso.example'] }),
      others: {
        inbound: [from({ senderDomains: ['a.example', '*.contoso.example'] })],
        outbound: [to({ recipientDomains: ['*.contoso.example'] })],
      },
      warnings: [
        'senderDomains[0]: for mail.contoso.example "Mail" takes precedence over "In": it is for mail.contoso.example, which is more specific than *.contoso.example',
      ],
    },
    {
      name: 'causes a warning when it takes precedence over a connector for a wildcard with another requirement',
      saved: from({
        name: 'Mail',
        senderDomains: ['mail.contoso.example'],
        tlsSenderCertificateNames: ['mail.contoso.example'],
        restrictDomainsToCertificate: true,
      }),
      others: {
        inbound: [
          from({
            senderDomains: ['*.contoso.example'],
            senderIpAddresses: ['192.0.2.0/24'],
            restrictDomainsToIpAddresses: true,
          }),
        ],
        outbound: [to({ recipientDomains: ['*.contoso.example'] })],
      },
      warnings: [
        'senderDomains[0]: for mail.contoso.example "Mail" takes precedence over "In": it is for mail.contoso.example, which is more specific than *.contoso.example',
      ],
    },
    {
      name: 'causes a warning when a connector with stricter requirements for its domain takes precedence over it',
      saved: from({ name: 'A' }),
      others: { inbound: [from({ minimumTlsVersion: 'TLSv1.3' })], ...paired },
      warnings: [
        'senderDomains[0]: for contoso.example "In" takes precedence over "A": it has stricter requirements',
      ],
    },
    {
      name: 'causes a warning when it takes precedence by its name over a connector for the same wildcard',
      saved: from({ name: 'A', senderDomains: ['*.contoso.example'] }),
      others: { inbound: [from({ senderDomains: ['*.contoso.example'] })], ...paired },
      warnings: [
        'senderDomains[0]: for *.contoso.example "A" takes precedence over "In": it comes first by name',
      ],
    },
    {
      name: 'causes a warning when it takes precedence over a connector for a wider wildcard and requires less',
      saved: from({ name: 'A', senderDomains: ['*.eu.contoso.example'], requireTls: false }),
      others: {
        inbound: [from({ senderDomains: ['*.contoso.example'] })],
        outbound: [to({ recipientDomains: ['*.contoso.example'] })],
      },
      warnings: [
        'senderDomains[0]: for *.eu.contoso.example "A" takes precedence over "In": it is for *.eu.contoso.example, which is more specific than *.contoso.example, and requires less than "In"',
        'requireTls: the connector requires nothing: mail in the clear is accepted',
      ],
    },
    {
      name: 'causes no warning about connectors for domains that only end with the same letters',
      saved: from(),
      others: {
        inbound: [from({ name: 'B', senderDomains: ['*.oso.example', 'notcontoso.example'] })],
        ...paired,
      },
      warnings: [],
    },
    {
      name: 'for `*` causes one warning about all weaker connectors that take precedence over it',
      saved: from({ name: 'All', senderDomains: ['*'], minimumTlsVersion: 'TLSv1.3' }),
      others: {
        inbound: ['a', 'b', 'c', 'd', 'e'].map((n) =>
          from({ name: n.toUpperCase(), senderDomains: [`${n}.example`] }),
        ),
      },
      warnings: [
        'senderDomains[0]: for a.example "A" takes precedence over "All": it is for a.example, which is more specific than *, and requires less than "All"; the same for b.example ("B"), c.example ("C"), d.example ("D") and 1 more',
        'senderDomains[0]: mail from every sender that does not use TLS 1.3 is refused',
      ],
    },
    {
      name: 'causes no warning about a report-only connector, a disabled one or its own previous version for the same domain',
      saved: from(),
      others: {
        inbound: [
          from({ comment: 'before' }),
          from({ name: 'B', mode: 'ReportOnly' }),
          from({ name: 'C', enabled: false }),
        ],
        ...paired,
      },
      warnings: [],
    },
    {
      name: "causes no warning about a connector for the organisation's servers with the same domain",
      saved: from(),
      others: { inbound: [ownServer({ senderDomains: ['contoso.example'] })], ...paired },
      warnings: [],
    },
    {
      name: "for the organisation's servers causes no warning about a connector for another address",
      saved: ownServer(),
      others: { inbound: [ownServer({ name: 'Branch', senderIpAddresses: ['192.0.2.2'] })] },
      warnings: [],
    },
    {
      name: "for the organisation's servers causes a warning about an overlapping connector for the same address",
      saved: ownServer(),
      others: {
        inbound: [
          ownServer({
            name: 'Branch',
            senderIpAddresses: ['192.0.2.0/24'],
            senderDomains: ['branch.example'],
            requireTls: false,
          }),
        ],
      },
      warnings: [
        'senderDomains[0]: for branch.example "Branch" takes precedence over "Ours": it is for branch.example, which is more specific than *, and requires less than "Ours"',
      ],
    },
    {
      name: "for the organisation's servers causes a warning about an overlapping report-only connector for the same certificate",
      saved: ownServer({ tlsSenderCertificateNames: ['*.ours.example'] }),
      others: {
        inbound: [
          ownServer({
            name: 'Branch',
            mode: 'ReportOnly',
            senderIpAddresses: [],
            tlsSenderCertificateNames: ['mail.ours.example'],
          }),
        ],
      },
      warnings: [
        'senderDomains[0]: for every other domain "Ours" takes precedence over "Branch": it is enforced, and the other only reports',
      ],
    },
  ]
  for (const { name, saved, others = {}, warnings } of rows)
    test(name, () => assert.deepEqual(warningTexts(inboundWarnings(saved, among(others), now)), warnings))
})

describe('an outbound connector', () => {
  const paired = { inbound: [from()] }
  const mailboxes = outbound({
    name: 'Mailboxes',
    connectorType: 'OnPremises',
    recipientDomains: [],
    allAcceptedDomains: true,
    route: 'SmartHosts',
    smartHosts: [{ host: 'mailbox.ours.example', port: 25 }],
    tlsSettings: 'EncryptionOnly',
  })
  const rows: {
    name: string
    saved: OutboundConnector
    others?: Parameters<typeof among>[0]
    warnings: string[]
  }[] = [
    {
      name: 'causes no warning with an inbound connector for its domain that requires TLS',
      saved: to(),
      others: paired,
      warnings: [],
    },
    {
      name: "to the organisation's servers causes no warning without an inbound connector",
      saved: mailboxes,
      warnings: [],
    },
    {
      name: 'causes a warning when its domain has no inbound connector',
      saved: to(),
      warnings: [
        'recipientDomains: the other direction, mail from contoso.example, is accepted in the clear: there is no inbound Partner connector for it',
      ],
    },
    {
      name: 'causes a warning when the inbound connector for its domain does not require TLS',
      saved: to(),
      others: { inbound: [from({ requireTls: false })] },
      warnings: [
        'recipientDomains: the other direction, mail from contoso.example, is accepted in the clear: inbound connector "In" does not require TLS',
      ],
    },
    {
      name: 'causes a warning when the inbound connector for its domain is report-only',
      saved: to(),
      others: { inbound: [from({ mode: 'ReportOnly' })] },
      warnings: [
        'recipientDomains: the other direction, mail from contoso.example, is accepted in the clear: inbound connector "In" only reports',
      ],
    },
    {
      name: 'causes a warning when the only inbound connector for its domain is of the type OnPremises',
      saved: to(),
      others: { inbound: [ownServer()] },
      warnings: [
        'recipientDomains: the other direction, mail from contoso.example, is accepted in the clear: there is no inbound Partner connector for it',
      ],
    },
    {
      name: 'causes a warning when it does not force TLS',
      saved: to({ tlsSettings: null }),
      others: paired,
      warnings: [
        'tlsSettings: TLS is not forced: mail is sent in the clear to a server that does not offer TLS',
      ],
    },
    {
      name: 'causes a warning when it is report-only with route Ses, which reports nothing',
      saved: to({ mode: 'ReportOnly', route: 'Ses', tlsSettings: 'EncryptionOnly' }),
      others: paired,
      warnings: [
        'mode: no requirement is enforced: violations are only recorded',
        'mode: reports nothing: Amazon SES does not report the TLS of its deliveries',
      ],
    },
    {
      name: 'causes a warning when it forces TLS on all domains',
      saved: to({
        recipientDomains: ['*'],
        tlsSettings: 'DomainValidation',
        tlsDomain: 'mail.contoso.example',
      }),
      warnings: [
        'recipientDomains[0]: mail to every server without a trusted certificate for mail.contoso.example is not delivered',
      ],
    },
    {
      name: 'causes warnings when it requires DANE and MTA-STS of all domains',
      saved: to({
        recipientDomains: ['*'],
        tlsSettings: null,
        smtpDaneMode: 'Mandatory',
        mtaStsMode: 'Mandatory',
      }),
      warnings: [
        'recipientDomains[0]: mail to most domains waits and then bounces: few have TLSA records, which smtpDaneMode Mandatory needs',
        'recipientDomains[0]: mail to most domains waits and then bounces: few have an MTA-STS policy in mode enforce, which mtaStsMode Mandatory needs',
      ],
    },
    {
      name: 'causes no warning when it requires DANE and no tlsSettings',
      saved: to({ tlsSettings: null, smtpDaneMode: 'Mandatory' }),
      others: paired,
      warnings: [],
    },
    {
      name: 'causes no warning when it forces TLS on all domains with a smart host',
      saved: to({
        recipientDomains: ['*'],
        route: 'SmartHosts',
        smartHosts: [{ host: 'relay.example', port: 25 }],
        tlsSettings: 'EncryptionOnly',
      }),
      warnings: [],
    },
    {
      name: 'causes a warning about a mail loop when it has route Mx for accepted domains',
      saved: to({ connectorType: 'OnPremises', recipientDomains: ['*.ours.example'] }),
      others: { accepted: ['ours.example', 'eu.ours.example', 'branch.example'] },
      warnings: [
        'route: ours.example and eu.ours.example: accepted by mailflow, so delivery by MX lookup may cause a mail loop; use route SmartHosts to name the mailbox servers',
      ],
    },
    {
      name: 'causes warnings about connectors that take precedence over it, the weaker connector first',
      saved: to({ name: 'Wide', recipientDomains: ['*.contoso.example', 'a.example'] }),
      others: {
        inbound: [from({ senderDomains: ['*'] })],
        outbound: [
          to({
            name: 'A',
            recipientDomains: ['a.example'],
            tlsSettings: 'DomainValidation',
            tlsDomain: 'a.example',
          }),
          to({ name: 'Mail', recipientDomains: ['mail.contoso.example'], tlsSettings: 'EncryptionOnly' }),
        ],
      },
      warnings: [
        'recipientDomains[0]: for mail.contoso.example "Mail" takes precedence over "Wide": it is for mail.contoso.example, which is more specific than *.contoso.example, and requires less than "Wide"',
        'recipientDomains[1]: for a.example "A" takes precedence over "Wide": it has stricter requirements',
      ],
    },
    {
      name: 'causes a warning when a more specific connector with a certificate takes precedence over its mandatory DANE',
      saved: to({
        name: 'Wide',
        recipientDomains: ['*.contoso.example'],
        tlsSettings: null,
        smtpDaneMode: 'Mandatory',
      }),
      others: {
        ...paired,
        outbound: [
          to({
            name: 'Mail',
            recipientDomains: ['mail.contoso.example'],
            tlsSettings: 'CertificateValidation',
          }),
        ],
      },
      warnings: [
        'recipientDomains[0]: for mail.contoso.example "Mail" takes precedence over "Wide": it is for mail.contoso.example, which is more specific than *.contoso.example, and requires less than "Wide"',
      ],
    },
    {
      name: 'causes a warning when it is report-only and a less specific enforced connector takes precedence over it',
      saved: to({ mode: 'ReportOnly', name: 'Report only' }),
      others: { outbound: [to({ recipientDomains: ['*'] })], ...paired },
      warnings: [
        'mode: no requirement is enforced: violations are only recorded',
        'recipientDomains[0]: for contoso.example "Out" takes precedence over "Report only": it is enforced, and the other only reports',
      ],
    },
    {
      name: 'for all accepted domains causes a warning about a connector for one of them, which takes precedence over it',
      saved: mailboxes,
      others: {
        accepted: ['ours.example', 'branch.example'],
        outbound: [
          outbound({
            name: 'Branch',
            connectorType: 'OnPremises',
            recipientDomains: ['branch.example'],
            route: 'SmartHosts',
            smartHosts: [{ host: 'mailbox.branch.example', port: 25 }],
            tlsSettings: null,
          }),
        ],
      },
      warnings: [
        'allAcceptedDomains: for branch.example "Branch" takes precedence over "Mailboxes": it is for branch.example, which is more specific than allAcceptedDomains, and requires less than "Mailboxes"',
      ],
    },
    {
      name: 'for `*` with route Mx causes no warning about a connector for accepted domains, to which it does not apply',
      saved: to({ recipientDomains: ['*'], tlsSettings: null }),
      others: { outbound: [mailboxes] },
      warnings: [
        'tlsSettings: TLS is not forced: mail is sent in the clear to a server that does not offer TLS',
      ],
    },
    {
      name: 'for `*` with smart hosts causes a warning about a connector for accepted domains, which takes precedence over it',
      saved: to({
        recipientDomains: ['*'],
        route: 'SmartHosts',
        smartHosts: [{ host: 'relay.example', port: 25 }],
      }),
      others: { outbound: [mailboxes] },
      warnings: [
        'recipientDomains[0]: for ours.example "Mailboxes" takes precedence over "Out": it is for allAcceptedDomains, which is more specific than *, and requires less than "Out"',
      ],
    },
  ]
  for (const { name, saved, others = {}, warnings } of rows)
    test(name, () => assert.deepEqual(warningTexts(outboundWarnings(saved, among(others), now)), warnings))
})

describe('the certificate authorities of a connector', () => {
  let ca: string
  before(async () => {
    ca = (await createPki('Contoso Root')).ca
  })
  const names = { tlsSenderCertificateNames: ['mail.contoso.example'], restrictDomainsToCertificate: true }
  const onDay = (date: Date) => date.toISOString().slice(0, 10)
  /** The authority is valid from yesterday, for thirty-one days. `at` is in days from now. */
  const rows: { name: string; at: number; says: () => string[] }[] = [
    { name: 'cause no warning if they are valid for more than thirty days', at: -0.5, says: () => [] },
    {
      name: 'cause a warning if they expire within thirty days',
      at: 0.5,
      says: () => [
        `certificateAuthorities[0]: CN=Contoso Root expires on ${onDay(daysFromNow(30))}; from then on no certificate that it issued is trusted`,
      ],
    },
    {
      name: 'cause a warning if they are expired',
      at: 40,
      says: () => [
        `certificateAuthorities[0]: CN=Contoso Root expired on ${onDay(daysFromNow(30))}, so no certificate that it issued is trusted`,
      ],
    },
    {
      name: 'cause a warning if they are not valid yet',
      at: -9,
      says: () => [
        `certificateAuthorities[0]: CN=Contoso Root is not valid before ${onDay(daysFromNow(-1))}`,
      ],
    },
  ]
  for (const { name, at, says } of rows)
    test(name, () => {
      const saved = { ...from({ ...names, certificateAuthorities: [ca] }) }
      assert.deepEqual(
        warningTexts(inboundWarnings(saved, among({ outbound: [to()] }), daysFromNow(at))),
        says(),
      )
    })

  test('cause a warning in either direction if no check uses them', () => {
    const others = among({ inbound: [from()], outbound: [to()] })
    assert.deepEqual(
      warningTexts(inboundWarnings(from({ certificateAuthorities: [ca] }), others, daysFromNow(40))),
      ['certificateAuthorities: has no effect: tlsSenderCertificateNames is empty'],
    )
    const outward = to({ certificateAuthorities: [ca], tlsSettings: 'EncryptionOnly' })
    assert.deepEqual(warningTexts(outboundWarnings(outward, others, daysFromNow(40))), [
      'certificateAuthorities: has no effect: tlsSettings is EncryptionOnly',
    ])
  })
})

describe('the warnings about a connector', () => {
  test('are at most twenty, followed by the number of further warnings', () => {
    const senderIpAddresses = Array.from({ length: 25 }, (_, n) => `10.${n}.0.0/16`)
    const warnings = inboundWarnings(ownServer({ senderIpAddresses }), among({}), now)
    assert.equal(warnings.length, 21)
    assert.deepEqual(warnings.at(-1), { path: '', message: 'and 5 more warnings' })
  })

  test('say that other connectors could not be read, and include those about the connector alone', () => {
    assert.deepEqual(warningTexts(outboundWarnings(to({ tlsSettings: null }), null, now)), [
      'the connector is not compared with the others, which could not be read; read it again to compare it',
      'tlsSettings: TLS is not forced: mail is sent in the clear to a server that does not offer TLS',
    ])
  })

  test('name only the first connectors when ten thousand overlap, with the number of the rest', () => {
    const many = Array.from({ length: 10_000 }, (_, n) =>
      to({ name: `Partner ${n}`, recipientDomains: [`p${n}.example`, `*.p${n}.example`] }),
    )
    const allConnectors = among({ outbound: many, inbound: [from({ senderDomains: ['*'] })] })
    const wide = to({
      name: 'All',
      recipientDomains: ['*'],
      tlsSettings: 'DomainValidation',
      tlsDomain: 'a.example',
    })
    const warnings = warningTexts(outboundWarnings(wide, allConnectors, now))
    assert.match(
      warnings[0] ?? '',
      /^recipientDomains\[0\]: for p0\.example "Partner 0" takes precedence over "All": .* and 496 more$/,
    )
    assert.match(warnings[1] ?? '', /^19500 more overlaps with other connectors were not compared$/)
  })
})

describe('the warnings in the scope WhatWeakens', () => {
  const wide = from({ senderDomains: ['*.contoso.example'] })
  const weakeningWarnings = (saved: InboundConnector) => {
    const allConnectors = among({
      inbound: [wide],
      outbound: [to({ recipientDomains: ['*.contoso.example'] })],
    })
    return warningTexts(inboundWarnings(saved, allConnectors, now, { scope: 'WhatWeakens' }))
  }

  test('omit a connector that takes precedence over another and requires as much', () => {
    assert.deepEqual(weakeningWarnings(from({ name: 'Mail', senderDomains: ['mail.contoso.example'] })), [])
  })

  test('include a connector that takes precedence over another and requires less', () => {
    const laxer = from({ name: 'Mail', senderDomains: ['mail.contoso.example'], requireTls: false })
    assert.match(
      weakeningWarnings(laxer).join(),
      /"Mail" takes precedence over "In": .*, and requires less than "In"/,
    )
  })
})
