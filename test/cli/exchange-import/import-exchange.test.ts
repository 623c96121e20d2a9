import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { parse } from 'yaml'
import { readConfiguration } from '../../../cli/connectors/read-configuration.ts'
import { writeConfiguration } from '../../../cli/connectors/write-configuration.ts'
import { importObjects } from '../../../cli/exchange-import/import-objects.ts'
import { readExport } from '../../../cli/exchange-import/read-export.ts'
import { mailflow } from '../../support/cli/mailflow.ts'

const fileOptions = { defaultRoute: 'Mx', prune: false } as const

const fixtures = join(import.meta.dirname, '../../fixtures')
const inboundFile = join(fixtures, 'exchange-inbound.json')
const outboundFile = join(fixtures, 'exchange-outbound.json')

/** Imports one object and returns its fields and notices. */
function imported(object: object) {
  const { configuration, notices } = importObjects(
    readExport(Buffer.from(JSON.stringify(object)), 'test.json'),
  )
  const [one] = configuration.inboundConnectors ?? configuration.outboundConnectors ?? []
  return {
    fields: one?.fields ?? null,
    notices: notices.map(({ weight, text }) => `${weight}: ${text}`),
  }
}

const inbound = (fields: object) => ({
  Name: 'Contoso',
  ConnectorType: 'Partner',
  Enabled: true,
  SenderDomains: ['smtp:contoso.example;1'],
  RequireTls: true,
  RestrictDomainsToCertificate: false,
  RestrictDomainsToIPAddresses: false,
  ...fields,
})

const outbound = (fields: object) => ({
  Name: 'Contoso',
  ConnectorType: 'Partner',
  Enabled: true,
  RecipientDomains: ['contoso.example'],
  UseMXRecord: true,
  TlsSettings: 'EncryptionOnly',
  ...fields,
})

/** Expected fields, and the beginnings of all expected notices. */
interface Row {
  shows: string
  from: object
  fields?: Record<string, unknown> | null
  expectedNotices?: string[]
}

const onPremises = { ConnectorType: 'OnPremises', SenderDomains: ['smtp:*;1'] }

const inboundRows: Row[] = [
  {
    shows: 'removes duplicates from lists',
    from: inbound({
      SenderDomains: ['smtp:contoso.example;1', 'smtp:CONTOSO.example;1'],
      SenderIPAddresses: ['192.0.2.1', '2001:db8::A', '192.0.2.1', '2001:DB8::a'],
      RestrictDomainsToIPAddresses: true,
    }),
    fields: { senderDomains: ['contoso.example'], senderIpAddresses: ['192.0.2.1', '2001:DB8::a'] },
  },
  {
    shows: 'removes the prefix smtp: and the cost 1 of a sender domain',
    from: { SenderDomains: ['smtp:contoso.example;1', 'SMTP:*.sub.contoso.example;1', 'plain.example'] },
    fields: { senderDomains: ['contoso.example', '*.sub.contoso.example', 'plain.example'] },
  },
  {
    shows: 'adds a notice about a sender domain with another cost than 1',
    from: { SenderDomains: ['smtp:contoso.example;5'] },
    fields: { senderDomains: ['contoso.example'] },
    expectedNotices: ['Note: SenderDomains "smtp:contoso.example;5": its cost is ignored'],
  },
  {
    shows: 'adds a notice about the sender domain "--", which means every accepted domain',
    from: { SenderDomains: ['smtp:--;1', 'smtp:contoso.example;1'] },
    fields: { senderDomains: ['contoso.example'] },
    expectedNotices: ['Weaker than in Exchange: SenderDomains "smtp:--;1" means every accepted domain'],
  },
  {
    shows: 'leaves out a connector whose only sender domain has a wildcard in the middle',
    from: { SenderDomains: ['smtp:a.*.contoso.example;1'] },
    fields: null,
    expectedNotices: ['Left out: it has no sender domain'],
  },
  {
    shows: 'imports a restriction to a certificate',
    from: { RestrictDomainsToCertificate: true, TlsSenderCertificateName: 'mail.contoso.example' },
    fields: {
      requireTls: true,
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['mail.contoso.example'],
    },
  },
  {
    shows: "adds the domain itself for Exchange's wildcard name",
    from: { RestrictDomainsToCertificate: true, TlsSenderCertificateName: '*.contoso.example' },
    fields: { tlsSenderCertificateNames: ['*.contoso.example', 'contoso.example'] },
    expectedNotices: ['Note: TlsSenderCertificateName "*.contoso.example": contoso.example is added'],
  },
  {
    shows: 'requires TLS when the domains are restricted to a certificate, although RequireTls is false',
    from: { RequireTls: false, RestrictDomainsToCertificate: true, TlsSenderCertificateName: 'a.example' },
    fields: { requireTls: true, restrictDomainsToCertificate: true },
    expectedNotices: ['Note: RequireTls is false, but the required certificate'],
  },
  {
    shows: 'omits TlsSenderCertificateName without RequireTls and without a restriction',
    from: { RequireTls: false, TlsSenderCertificateName: 'a.example' },
    fields: { requireTls: false, tlsSenderCertificateNames: [] },
    expectedNotices: ['Note: TlsSenderCertificateName had no effect'],
  },
  {
    shows: 'adds a notice when TlsSenderCertificateName also names an issuer',
    from: {
      RestrictDomainsToCertificate: true,
      TlsSenderCertificateName: '<I>CN=Some CA, O=Some<S>CN=mail.contoso.example, O=Contoso',
    },
    fields: { tlsSenderCertificateNames: ['mail.contoso.example'] },
    expectedNotices: ['Weaker than in Exchange: TlsSenderCertificateName also names the issuer'],
  },
  {
    shows: 'takes the common name of a subject',
    from: { RestrictDomainsToCertificate: true, TlsSenderCertificateName: 'CN=*.bank.example, O=Bank, C=CH' },
    fields: {
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['*.bank.example', 'bank.example'],
    },
    expectedNotices: [
      'Note: TlsSenderCertificateName "CN=*.bank.example, O=Bank, C=CH" is a subject; only its common name, "*.bank.example", is imported.',
      'Note: TlsSenderCertificateName "*.bank.example": bank.example is added',
    ],
  },
  {
    shows: 'is weaker when the required name is not supported',
    from: { RequireTls: true, TlsSenderCertificateName: 'O=Bank, C=CH' },
    fields: { requireTls: true, tlsSenderCertificateNames: [] },
    expectedNotices: ['Weaker than in Exchange: TlsSenderCertificateName "O=Bank, C=CH" is omitted'],
  },
  {
    shows:
      'requires TLS and adds a notice when RestrictDomainsToCertificate is set without a certificate name',
    from: { RequireTls: false, RestrictDomainsToCertificate: true, TlsSenderCertificateName: null },
    fields: { requireTls: true, restrictDomainsToCertificate: false },
    expectedNotices: ['Weaker than in Exchange: RestrictDomainsToCertificate names no certificate'],
  },
  {
    shows: 'imports a restriction to addresses',
    from: {
      RestrictDomainsToIPAddresses: true,
      SenderIPAddresses: ['192.0.2.1', '198.51.100.0/24', '2001:db8::/64'],
    },
    fields: {
      restrictDomainsToIpAddresses: true,
      senderIpAddresses: ['192.0.2.1', '198.51.100.0/24', '2001:db8::/64'],
    },
  },
  {
    shows: 'requires TLS and adds notices when the restriction lists only an unsupported address range',
    from: { RestrictDomainsToIPAddresses: true, SenderIPAddresses: ['192.0.2.1-192.0.2.9'] },
    fields: { requireTls: true, restrictDomainsToIpAddresses: false, senderIpAddresses: [] },
    expectedNotices: [
      'Note: SenderIPAddresses "192.0.2.1-192.0.2.9" is omitted: it is neither an IP address nor a CIDR range',
      'Weaker than in Exchange: RestrictDomainsToIPAddresses lists no address',
    ],
  },
  {
    shows: 'keeps the restriction to a certificate when addresses are also restricted',
    from: {
      RestrictDomainsToCertificate: true,
      RestrictDomainsToIPAddresses: true,
      TlsSenderCertificateName: 'a.example',
      SenderIPAddresses: ['192.0.2.1'],
    },
    fields: { restrictDomainsToCertificate: true, restrictDomainsToIpAddresses: false },
    expectedNotices: [
      'Weaker than in Exchange: it restricts its domains to a certificate and to IP addresses',
    ],
  },
  {
    shows: 'imports AssociatedAcceptedDomains of a Partner connector',
    from: { AssociatedAcceptedDomains: ['ours.example', 'Branch.example'] },
    fields: {
      senderDomains: ['contoso.example'],
      associatedAcceptedDomains: ['ours.example', 'branch.example'],
    },
  },
  {
    shows: 'is weaker when one of the AssociatedAcceptedDomains is not a domain',
    from: { AssociatedAcceptedDomains: ['ours.example', '*.branch.example'] },
    fields: { associatedAcceptedDomains: ['ours.example'] },
    expectedNotices: ['Weaker than in Exchange: AssociatedAcceptedDomains "*.branch.example" is omitted'],
  },
  {
    shows: 'is stricter when none of the AssociatedAcceptedDomains is a domain',
    from: { AssociatedAcceptedDomains: ['*.branch.example'] },
    fields: { associatedAcceptedDomains: [] },
    expectedNotices: ['Stricter than in Exchange: AssociatedAcceptedDomains "*.branch.example" is omitted'],
  },
  {
    shows: 'disables a Partner connector that restricts every sender domain to the addresses of a gateway',
    from: {
      SenderDomains: ['smtp:*;1'],
      SenderIPAddresses: ['192.0.2.1'],
      RestrictDomainsToIPAddresses: true,
    },
    fields: { enabled: false, senderDomains: ['*'] },
    expectedNotices: ['Disabled: it restricts every sender domain'],
  },
  {
    shows: 'omits TreatMessagesAsInternal of Partner connectors',
    from: { TreatMessagesAsInternal: true },
    fields: { treatMessagesAsInternal: false },
    expectedNotices: ['Note: TreatMessagesAsInternal is only for OnPremises'],
  },
  {
    shows: 'identifies OnPremises servers by TlsSenderCertificateName',
    from: { ...onPremises, TlsSenderCertificateName: 'mail.ours.example', TreatMessagesAsInternal: true },
    fields: {
      connectorType: 'OnPremises',
      senderDomains: ['*'],
      tlsSenderCertificateNames: ['mail.ours.example'],
      treatMessagesAsInternal: true,
    },
    expectedNotices: ['Note: TreatMessagesAsInternal: mail of these servers is not checked by SPF'],
  },
  {
    shows: 'requires TLS for OnPremises servers that only a certificate identifies',
    from: { ...onPremises, RequireTls: false, TlsSenderCertificateName: 'mail.ours.example' },
    fields: { requireTls: true, tlsSenderCertificateNames: ['mail.ours.example'] },
    expectedNotices: ['Note: RequireTls is false, but the certificate that identifies the server'],
  },
  {
    shows: 'identifies OnPremises servers by address only, as Exchange does, when RequireTls is false',
    from: {
      ...onPremises,
      RequireTls: false,
      TlsSenderCertificateName: 'a.example',
      SenderIPAddresses: ['192.0.2.1'],
    },
    fields: { requireTls: false, tlsSenderCertificateNames: [], senderIpAddresses: ['192.0.2.1'] },
    expectedNotices: ['Note: TlsSenderCertificateName had no effect'],
  },
  {
    shows: 'sets the sender domains of an OnPremises connector to AssociatedAcceptedDomains',
    from: {
      ...onPremises,
      SenderIPAddresses: ['192.0.2.1'],
      AssociatedAcceptedDomains: ['ours.example', 'Branch.example'],
    },
    fields: { senderDomains: ['ours.example', 'branch.example'] },
    expectedNotices: [
      'Note: AssociatedAcceptedDomains narrows the sender domains to ours.example, branch.example',
    ],
  },
  {
    shows:
      'leaves out an OnPremises connector with neither address nor certificate, which would be an open relay',
    from: onPremises,
    fields: null,
    expectedNotices: ['Left out: it names neither an IP address nor a certificate'],
  },
  {
    shows: 'disables an OnPremises connector whose certificate name all tenants of Exchange Online share',
    from: { ...onPremises, TlsSenderCertificateName: 'mail.protection.outlook.com' },
    fields: { enabled: false, tlsSenderCertificateNames: ['mail.protection.outlook.com'] },
    expectedNotices: [
      'Disabled: it would be an open relay: mail.protection.outlook.com is shared by all customers of Exchange Online',
    ],
  },
  {
    shows: 'disables an OnPremises connector whose addresses a provider shares among its customers',
    from: { ...onPremises, RequireTls: false, SenderIPAddresses: ['167.89.0.0/17'] },
    fields: { enabled: false, senderIpAddresses: ['167.89.0.0/17'] },
    expectedNotices: [
      'Disabled: it would be an open relay: 167.89.0.0/17 is shared by all customers of SendGrid',
    ],
  },
  {
    shows: 'enables a Partner connector whose certificate name is shared, because it only restricts',
    from: { RestrictDomainsToCertificate: true, TlsSenderCertificateName: 'mail.protection.outlook.com' },
    fields: { enabled: true },
  },
  {
    shows: 'omits RestrictDomainsToIPAddresses of OnPremises connectors',
    from: { ...onPremises, SenderIPAddresses: ['192.0.2.1'], RestrictDomainsToIPAddresses: true },
    fields: { restrictDomainsToIpAddresses: false },
    expectedNotices: ['Note: RestrictDomainsToIPAddresses has no effect on OnPremises'],
  },
  {
    shows: 'adds a notice about each unsupported setting in use',
    from: {
      CloudServicesMailEnabled: true,
      ScanAndDropRecipients: ['trap@ours.example'],
      TrustedOrganizations: ['x.onmicrosoft.com'],
      ClientHostNames: ['host'],
      EFSkipLastIP: true,
      EFSkipIPs: ['192.0.2.1'],
      EFUsers: ['u@ours.example'],
      EFTestMode: true,
    },
    fields: {},
    expectedNotices: [
      'Note: CloudServicesMailEnabled',
      'Note: ScanAndDropRecipients',
      'Note: TrustedOrganizations',
      'Note: ClientHostNames',
      'Note: EFSkipLastIP',
      'Note: EFSkipIPs',
      'Note: EFUsers',
      'Note: EFTestMode',
    ],
  },
  {
    shows: 'ignores unsupported settings that are not in use, and administrative settings',
    from: {
      CloudServicesMailEnabled: false,
      ScanAndDropRecipients: [],
      EFSkipIPs: null,
      ConnectorSource: 'HybridWizard',
      Guid: '5d0c1a2e-0000-4000-8000-000000000001',
      WhenCreated: '/Date(1676379900000)/',
      'WhenChanged@data.type': 'System.DateTime',
    },
    fields: {},
  },
  {
    shows: 'adds a notice about an unknown setting that is in use',
    from: { NewThing: 'Always', OtherThing: false },
    fields: {},
    expectedNotices: ['Note: NewThing (Always) is an unknown setting'],
  },
  {
    shows: 'reads ConnectorType as a number',
    from: { ...onPremises, ConnectorType: 1, SenderIPAddresses: ['192.0.2.1'] },
    fields: { connectorType: 'OnPremises' },
  },
  {
    shows: 'reads ConnectorType as an object with number and name',
    from: {
      ...onPremises,
      ConnectorType: { value: 1, Value: 'OnPremises' },
      SenderIPAddresses: ['192.0.2.1'],
    },
    fields: { connectorType: 'OnPremises' },
  },
  {
    shows: 'leaves out a connector with an unknown ConnectorType',
    from: { ConnectorType: 'Something' },
    fields: null,
    expectedNotices: ['Left out: ConnectorType "Something"'],
  },
  {
    shows: 'reads a list that is an object with a value, and a list that is one string with spaces',
    from: {
      SenderDomains: { value: ['smtp:a.example;1', 'smtp:b.example;1'], Count: 2 },
      SenderIPAddresses: '192.0.2.1 192.0.2.2',
    },
    fields: { senderDomains: ['a.example', 'b.example'], senderIpAddresses: ['192.0.2.1', '192.0.2.2'] },
  },
  {
    shows: 'reads lists whose items are objects',
    from: {
      SenderDomains: [{ Type: 'smtp', Address: 'a.example', Cost: 1 }],
      SenderIPAddresses: [{ Expression: '192.0.2.1' }],
    },
    fields: { senderDomains: ['a.example'], senderIpAddresses: ['192.0.2.1'] },
  },
  {
    shows: 'keeps a disabled connector disabled',
    from: { Enabled: false, Comment: 'Old' },
    fields: { enabled: false, comment: 'Old' },
  },
  {
    shows: 'cuts a long comment and adds a notice',
    from: { Comment: 'x'.repeat(2000) },
    fields: { comment: 'x'.repeat(1024) },
    expectedNotices: ['Note: Comment is cut'],
  },
  {
    shows: 'cuts a long name and adds a notice',
    from: { Name: 'n'.repeat(70) },
    fields: { name: 'n'.repeat(64) },
    expectedNotices: ['Note: the name is changed'],
  },
  {
    shows: 'cleans a name with invisible characters and spaces of other widths, and adds a notice',
    from: { Name: 'From\u00a0\u202e Con\u200btoso\u001b \u{e0041}' },
    fields: { name: 'From Contoso' },
    expectedNotices: ['Note: the name is changed to "From Contoso"'],
  },
  {
    shows: 'cuts a long name before a character that does not fit',
    from: { Name: `${'n'.repeat(63)}\u{1f600}` },
    fields: { name: 'n'.repeat(63) },
    expectedNotices: ['Note: the name is changed'],
  },
]

const outboundRows: Row[] = [
  {
    shows: 'imports routing by MX lookup, and DomainValidation with its TlsDomain',
    from: { TlsSettings: 'DomainValidation', TlsDomain: 'mx.contoso.example' },
    fields: { route: 'Mx', tlsSettings: 'DomainValidation', tlsDomain: 'mx.contoso.example' },
  },
  {
    shows: 'imports smart hosts by name and by address literal',
    from: { UseMXRecord: false, SmartHosts: ['[192.0.2.25]', 'mail.contoso.example', '2001:db8::1'] },
    fields: {
      route: 'SmartHosts',
      smartHosts: [
        { host: '192.0.2.25', port: 25 },
        { host: 'mail.contoso.example', port: 25 },
        { host: '2001:db8::1', port: 25 },
      ],
    },
  },
  {
    shows: 'omits SmartHosts when UseMXRecord is true',
    from: { SmartHosts: ['mail.contoso.example'] },
    fields: { route: 'Mx', smartHosts: [] },
    expectedNotices: ['Note: SmartHosts had no effect'],
  },
  {
    shows: 'disables a connector when none of its smart hosts is supported',
    from: { UseMXRecord: false, SmartHosts: ['192.0.2.0/25'] },
    fields: { enabled: false, route: 'Mx' },
    expectedNotices: [
      'Note: SmartHosts "192.0.2.0/25"',
      'Disabled: UseMXRecord is false and mailflow supports none',
    ],
  },
  {
    shows: 'imports TlsSettings null as opportunistic TLS',
    from: { TlsSettings: null, TlsDomain: '' },
    fields: { tlsSettings: null, tlsDomain: null },
  },
  ...[
    [1, 'EncryptionOnly'],
    [2, 'CertificateValidation'],
    ['certificatevalidation', 'CertificateValidation'],
  ].map(
    ([from, to]): Row => ({
      shows: `imports TlsSettings ${from} as ${to}`,
      from: { TlsSettings: from },
      fields: { tlsSettings: to },
    }),
  ),
  {
    shows: 'imports TlsSettings 4 as DomainValidation',
    from: { TlsSettings: 4, TlsDomain: 'mx.contoso.example' },
    fields: { tlsSettings: 'DomainValidation', tlsDomain: 'mx.contoso.example' },
  },
  {
    shows: 'imports unknown TlsSettings as CertificateValidation',
    from: { TlsSettings: 'Quantum' },
    fields: { tlsSettings: 'CertificateValidation' },
    expectedNotices: ['Stricter than in Exchange: TlsSettings "Quantum"'],
  },
  {
    shows: 'omits TlsDomain when TlsSettings does not validate a name',
    from: { TlsDomain: 'mx.contoso.example' },
    fields: { tlsSettings: 'EncryptionOnly', tlsDomain: null },
    expectedNotices: ['Note: TlsDomain had no effect'],
  },
  {
    shows: 'adds a notice that a wildcard in TlsDomain matches one label',
    from: { TlsSettings: 'DomainValidation', TlsDomain: '*.contoso.example' },
    fields: { tlsDomain: '*.contoso.example' },
    expectedNotices: ['Note: TlsDomain "*.contoso.example": in mailflow "*." matches one label'],
  },
  {
    shows: 'sets tlsDomain to the name of the only smart host when DomainValidation has no TlsDomain',
    from: { TlsSettings: 'DomainValidation', UseMXRecord: false, SmartHosts: ['mx.contoso.example'] },
    fields: { tlsSettings: 'DomainValidation', tlsDomain: 'mx.contoso.example' },
    expectedNotices: ['Note: TlsDomain is empty; the certificate must have the name'],
  },
  {
    shows: 'imports DomainValidation as CertificateValidation when it has neither TlsDomain nor a smart host',
    from: { TlsSettings: 'DomainValidation' },
    fields: { tlsSettings: 'CertificateValidation', tlsDomain: null, enabled: true },
    expectedNotices: ['Weaker than in Exchange: DomainValidation has no name that mailflow supports'],
  },
  {
    shows: 'disables a connector that only transport rules use',
    from: { IsTransportRuleScoped: true },
    fields: { enabled: false, recipientDomains: ['contoso.example'] },
    expectedNotices: ['Disabled: IsTransportRuleScoped'],
  },
  {
    shows: 'adds notices why a disabled connector must stay disabled',
    from: { Enabled: false, IsTransportRuleScoped: true, TestMode: true },
    fields: { enabled: false },
    expectedNotices: ['Disabled: IsTransportRuleScoped', 'Disabled: TestMode'],
  },
  {
    shows: 'leaves out a connector without recipient domains that only transport rules use',
    from: { IsTransportRuleScoped: true, RecipientDomains: [], SenderRewritingEnabled: true },
    fields: null,
    expectedNotices: ['Left out: it has no recipient domain; only transport rules used it'],
  },
  {
    shows: 'disables a connector in test mode',
    from: { TestMode: true },
    fields: { enabled: false },
    expectedNotices: ['Disabled: TestMode'],
  },
  {
    shows: 'imports AllAcceptedDomains of OnPremises connectors',
    from: { ConnectorType: 'OnPremises', AllAcceptedDomains: true, RecipientDomains: null },
    fields: { allAcceptedDomains: true, recipientDomains: [] },
  },
  {
    shows: 'omits AllAcceptedDomains of Partner connectors',
    from: { AllAcceptedDomains: true },
    fields: { allAcceptedDomains: false },
    expectedNotices: ['Note: AllAcceptedDomains is only for OnPremises'],
  },
  {
    shows: 'adds a notice about RouteAllMessagesViaOnPremises when the recipient domain is not *',
    from: { ConnectorType: 'OnPremises', RouteAllMessagesViaOnPremises: true },
    fields: {},
    expectedNotices: ['Weaker than in Exchange: RouteAllMessagesViaOnPremises'],
  },
  {
    shows: 'adds no notice about RouteAllMessagesViaOnPremises when the recipient domain is *',
    from: { ConnectorType: 'OnPremises', RouteAllMessagesViaOnPremises: true, RecipientDomains: ['*'] },
    fields: { recipientDomains: ['*'] },
  },
  {
    shows: 'imports SmtpDaneMode None and MtaStsMode None',
    from: { SmtpDaneMode: 'None', MtaStsMode: 'None' },
    fields: { smtpDaneMode: 'None', mtaStsMode: 'None' },
  },
  ...[0, 1].map(
    (number): Row => ({
      shows: `imports the number ${number} of SmtpDaneMode, which may mean None, as Opportunistic with a notice`,
      from: { SmtpDaneMode: number },
      fields: { smtpDaneMode: 'Opportunistic' },
      expectedNotices: [`Weaker than in Exchange: SmtpDaneMode "${number}": it is not supported`],
    }),
  ),
  {
    shows: 'adds a notice that EncryptionOnly does not apply the DANE and MTA-STS that Exchange enforced',
    from: {
      TlsSettings: 'EncryptionOnly',
      TlsDomain: null,
      SmtpDaneMode: 'Opportunistic',
      MtaStsMode: 'Opportunistic',
    },
    fields: { tlsSettings: 'EncryptionOnly' },
    expectedNotices: [
      'Weaker than in Exchange: SmtpDaneMode and MtaStsMode: DANE and MTA-STS of recipient domains',
    ],
  },
  {
    shows: 'adds no notice about DANE and MTA-STS when the connector requires a certificate',
    from: { TlsSettings: 'CertificateValidation', TlsDomain: null, SmtpDaneMode: 'Opportunistic' },
    fields: { tlsSettings: 'CertificateValidation' },
  },
  {
    shows: 'imports SmtpDaneMode Mandatory',
    from: { SmtpDaneMode: 'Mandatory' },
    fields: { smtpDaneMode: 'Mandatory' },
  },
  {
    shows: 'imports SmtpDaneMode Mandatory with a smart host that is named',
    from: { SmtpDaneMode: 'Mandatory', UseMXRecord: false, SmartHosts: ['mail.contoso.example'] },
    fields: { smtpDaneMode: 'Mandatory', route: 'SmartHosts' },
  },
  {
    shows: 'imports SmtpDaneMode Mandatory as Opportunistic with a notice when a smart host is an IP address',
    from: { SmtpDaneMode: 'Mandatory', UseMXRecord: false, SmartHosts: ['192.0.2.1'] },
    fields: { smtpDaneMode: 'Opportunistic', route: 'SmartHosts' },
    expectedNotices: [
      'Weaker than in Exchange: SmtpDaneMode "Mandatory": a smart host that is an IP address has no TLSA records',
    ],
  },
  {
    shows: 'imports an unknown SmtpDaneMode as Opportunistic with a notice',
    from: { SmtpDaneMode: '7' },
    fields: { smtpDaneMode: 'Opportunistic' },
    expectedNotices: ['Weaker than in Exchange: SmtpDaneMode "7": it is not supported'],
  },
  {
    shows: 'adds a notice about each unsupported setting in use',
    from: {
      CloudServicesMailEnabled: true,
      SenderRewritingEnabled: true,
      ValidationRecipients: ['a@contoso.example'],
      IsValidated: true,
      LastValidationTimestamp: '2025-11-03T08:20:00',
    },
    fields: {},
    expectedNotices: [
      'Note: CloudServicesMailEnabled',
      'Note: SenderRewritingEnabled',
      'Note: ValidationRecipients',
    ],
  },
]

for (const [direction, make, rows] of [
  ['an inbound connector', inbound, inboundRows],
  ['an outbound connector', outbound, outboundRows],
] as const)
  describe(`import of ${direction}`, () => {
    for (const { shows, from, fields = {}, expectedNotices = [] } of rows)
      test(shows, () => {
        const { fields: importedFields, notices } = imported(make(from))
        const has = (weight: string) => expectedNotices.some((notice) => notice.startsWith(weight))
        // Nothing that is weaker than in Exchange is enabled, whatever else the row shows.
        const isDisabledAsWeaker = fields !== null && has('Weaker') && !has('Disabled') && !has('Left out')
        const all = [
          ...expectedNotices,
          ...(isDisabledAsWeaker ? ['Disabled: it is weaker than in Exchange.'] : []),
        ]
        if (fields === null) assert.equal(importedFields, null)
        else {
          const enabled = isDisabledAsWeaker ? { enabled: false } : {}
          assert.deepEqual({ ...importedFields, ...fields, ...enabled }, importedFields)
        }
        assert.deepEqual(
          notices.map((notice) => all.find((start) => notice.startsWith(start)) ?? notice).sort(),
          all.toSorted(),
        )
      })
  })

describe('`connectors import-exchange`', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-import-'))
  after(() => rmSync(folder, { recursive: true }))
  const file = (name: string, content: Buffer | string): string => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }

  const json = JSON.stringify(inbound({ Name: 'Größe' }))
  const encodings: [string, Buffer][] = [
    ['UTF-8', Buffer.from(json)],
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${json}`)],
    ['UTF-16 with a byte order mark', Buffer.from(`\ufeff${json}`, 'utf16le')],
    ['big-endian UTF-16 with a byte order mark', Buffer.from(`\ufeff${json}`, 'utf16le').swap16()],
  ]
  for (const [encoding, octets] of encodings)
    test(`reads a file in ${encoding}`, async () => {
      const { status, out } = await mailflow(['connectors', 'import-exchange', file('one.json', octets)])
      assert.equal(status, 0)
      assert.deepEqual(
        parse(out).inboundConnectors.map(({ name }: { name: string }) => name),
        ['Größe'],
      )
    })

  test('writes a valid configuration file, and prints notices to review', async () => {
    const { status, out, err } = await mailflow(['connectors', 'import-exchange', inboundFile, outboundFile])
    assert.equal(status, 3)
    const { inboundConnectors, outboundConnectors, acceptedDomains } = readConfiguration(
      out,
      'imported.yaml',
      fileOptions,
    )
    assert.deepEqual(
      [inboundConnectors?.length, outboundConnectors?.length, acceptedDomains],
      [10, 11, null],
      'one of 11 and one of 12 are left out; no accepted domains were given',
    )
    assert.match(
      err,
      /2 × Left out, 9 × Disabled, 5 × Weaker than in Exchange\.\nNo accepted domain was imported\. .*\n$/,
    )
  })

  test('imports a whole export, and enables no connector that is weaker or an open relay', async () => {
    const folder = join(fixtures, 'exchange-export')
    const files = ['inbound', 'outbound', 'domains'].map((name) => join(folder, `${name}.json`))
    const { status, out, err } = await mailflow(['connectors', 'import-exchange', ...files])
    assert.equal(status, 3)
    assert.doesNotMatch(err, /is an unknown setting/)
    assert.match(
      err,
      /Disabled: ConnectorSource HybridWizard: .* take mail for its domains away from the tenant/,
    )
    const read = readConfiguration(out, 'imported.yaml', fileOptions)
    const disabled = [read.inboundConnectors, read.outboundConnectors].map((list) =>
      list?.filter(({ fields }) => fields.enabled === false).map(({ label }) => label),
    )
    assert.deepEqual(disabled, [
      [
        'From our second tenant',
        'From Adatum (until 2025)',
        'From the previous gateway',
        'From Tailspin',
        'Newsletter service',
      ],
      [
        'Outbound to 4d2a9f10-6a0e-4f0e-8d0b-3f1f6b7c2e11',
        'To Northwind',
        'To Adatum (until 2025)',
        'Trial of a new partner',
        'Encryption gateway',
      ],
    ])
    assert.deepEqual(
      read.acceptedDomains?.map(({ label }) => label),
      ['ours.example', 'branch.example', 'news.ours.example'],
    )
    const byName = (name: string) =>
      [...(read.inboundConnectors ?? []), ...(read.outboundConnectors ?? [])].find(
        ({ label }) => label === name,
      )?.fields
    assert.deepEqual(byName('Von der Behörde')?.associatedAcceptedDomains, ['ours.example'])
    assert.equal(byName('Von der Behörde')?.comment, 'Für die Fachabteilung – „vertraulich“ 機密 ✓')
    assert.deepEqual(
      [byName('An die Behörde')?.smtpDaneMode, byName('An die Behörde')?.mtaStsMode],
      ['Mandatory', 'None'],
    )
    assert.equal(byName('To the bank')?.tlsSettings, 'DomainValidation')
  })

  test('repeats notices other than "Note" as comments in the configuration file', async () => {
    const { out } = await mailflow(['connectors', 'import-exchange', inboundFile, outboundFile])
    assert.match(out, /^# Imported from .*\n# Left out: inbound connector "Anyone": /)
    assert.match(out, /\n {2}# Disabled: IsTransportRuleScoped.*\n {2}- name: Encryption gateway\n/)
    assert.match(
      out,
      /\n {2}# Weaker than in Exchange: .*addresses are not\.\n {2}# Disabled: it is weaker than in Exchange\. .*\n {2}- name: From Adatum\n/,
    )
    assert.doesNotMatch(out, /# Note/)
  })

  test('mentions every connector in the output or in a notice', async () => {
    const { out, err } = await mailflow(['connectors', 'import-exchange', inboundFile, outboundFile])
    for (const { Name } of [inboundFile, outboundFile].flatMap((name) =>
      JSON.parse(readFileSync(name, 'utf8')),
    ))
      assert.ok(out.includes(Name) || err.includes(Name), Name)
  })

  test('names settings that decide security and are missing from the export', () => {
    const { notices } = imported({
      Name: 'A',
      ConnectorType: 'Partner',
      SenderDomains: ['a.example'],
      RequireTls: true,
    })
    assert.match(notices.join(), /^Weaker than in Exchange: the export lacks RestrictDomainsToCertificate, R/)
    const other = imported({ Name: 'A', ConnectorType: 'Partner', RecipientDomains: ['a.example'] })
    assert.match(other.notices.join(), /^Weaker than in Exchange: the export lacks TlsSettings,/)
  })

  test('makes connector names unique without regard to letter case', () => {
    const objects = ['One', 'ONE', 'one'].map((Name) => inbound({ Name }))
    const { configuration, notices } = importObjects(readExport(Buffer.from(JSON.stringify(objects)), 'x'))
    assert.deepEqual(
      configuration.inboundConnectors?.map(({ label }) => label),
      ['One', 'ONE (2)', 'one (3)'],
    )
    assert.equal(notices.length, 2)
  })

  test('imports two objects with the same Guid once', () => {
    const objects = [inbound({ Guid: 'a' }), inbound({ Guid: 'a' })]
    const { configuration, notices } = importObjects(readExport(Buffer.from(JSON.stringify(objects)), 'x'))
    assert.deepEqual([configuration.inboundConnectors?.length, notices], [1, []])
  })

  test('imports both of two different objects with the same Guid', () => {
    const objects = [inbound({ Guid: 'a' }), inbound({ Guid: 'a', Name: 'Other' }), outbound({ Guid: 'a' })]
    const { configuration } = importObjects(readExport(Buffer.from(JSON.stringify(objects)), 'x'))
    const { inboundConnectors, outboundConnectors } = configuration
    assert.deepEqual([inboundConnectors?.length, outboundConnectors?.length], [2, 1])
  })

  test('imports accepted domains except onmicrosoft.com', async () => {
    const domains = ['Ours.example', 'ours.onmicrosoft.com'].map((DomainName) => ({
      Name: DomainName,
      DomainName,
      DomainType: 'Authoritative',
    }))
    const { out, err } = await mailflow([
      ...['connectors', 'import-exchange'],
      file('domains.json', JSON.stringify(domains)),
    ])
    assert.deepEqual(parse(out), { acceptedDomains: ['ours.example'] })
    assert.match(err, /accepted domain "ours\.onmicrosoft\.com"\n {2}Left out: it is a Microsoft domain/)
  })

  test('with --mode gives each connector this mode, and changes nothing else', async () => {
    const run = async (...options: string[]) => {
      const { status, out, err } = await mailflow([
        ...['connectors', 'import-exchange', inboundFile, outboundFile],
        ...options,
      ])
      assert.equal(status, 3)
      return { configuration: readConfiguration(out, 'imported.yaml', fileOptions), err }
    }
    const plain = await run()
    const reportOnly = await run('--mode', 'reportonly')
    const expected = Object.fromEntries(
      Object.entries(plain.configuration).map(([section, entries]) => [
        section,
        entries?.map((entry) => ({ ...entry, fields: { ...entry.fields, mode: 'ReportOnly' } })) ?? null,
      ]),
    )
    assert.deepEqual(reportOnly, { configuration: expected, err: plain.err })
  })

  test('exits with 0 when nothing is left out, disabled or weaker', async () => {
    const file = join(folder, 'plain.json')
    const restrictions = { RestrictDomainsToCertificate: false, RestrictDomainsToIPAddresses: false }
    const connector = { Name: 'a', SenderDomains: ['smtp:a.example;1'], RequireTls: true, ...restrictions }
    writeFileSync(file, JSON.stringify(connector))
    const { status, err } = await mailflow(['connectors', 'import-exchange', file])
    assert.equal(status, 0, err)
  })

  const faulty: [string, string | Buffer, RegExp][] = [
    ['a file that is not JSON', 'Name : Contoso', /one\.json:1: not JSON: Unexpected token 'N'\n/],
    ['an empty file', '', /one\.json: not JSON: Unexpected end of JSON input\n/],
    [
      'a missing comma, with its line',
      '[{"Name":"a"\n"Enabled":true}]',
      /one\.json:2: not JSON: Expected ',' or '\}' after property value \(line 2 column 1\)\n/,
    ],
    [
      'an unknown word, with its line',
      `[{"Name":"${'x'.repeat(99)}",\n"Enabled": tru,\n"A":1}]`,
      /one\.json:2: not JSON: Unexpected token ','\n/,
    ],
    ['an object of another kind', '[{"Name":"x"}]', /item 1 is neither a connector nor an accepted domain/],
    [
      'a connector of Exchange Server',
      '{"AddressSpaces":["*"]}',
      /Send or Receive connector of Exchange Server/,
    ],
    ['an empty list', '[]', /contains no connector or accepted domain/],
    [
      'a file in a Windows encoding, with advice',
      Buffer.from('{"Name":"München"}', 'latin1'),
      /one\.json is neither UTF-8 nor UTF-16 .*\n {2}Write it with: .* Out-File FILE/,
    ],
  ]
  for (const [title, content, message] of faulty)
    test(`ends with an error about ${title}`, async () => {
      const { status, out, err } = await mailflow([
        'connectors',
        'import-exchange',
        file('one.json', content),
      ])
      assert.deepEqual([status, out], [1, ''])
      assert.match(err, message)
    })

  test('ends with an error that names a missing file', async () => {
    const { status, err } = await mailflow(['connectors', 'import-exchange', join(folder, 'none.json')])
    assert.equal(status, 1)
    assert.match(err, /cannot read \S+none\.json: no such file/)
  })
})

/** Values that PowerShell or an editor may write. */
const odd = fc.oneof(
  fc.constantFrom(
    null,
    true,
    false,
    '',
    ' ',
    0,
    1,
    2,
    4,
    99,
    '*',
    '*.',
    'smtp:',
    'smtp:*;1',
    '--',
    '\u0000',
    '<I>CN=a<S>',
  ),
  fc.constantFrom(
    'contoso.example',
    '*.contoso.example',
    '[192.0.2.1]',
    '192.0.2.1',
    '10.0.0.0/8',
    'DomainValidation',
  ),
  fc.string({ maxLength: 300 }),
  fc.array(
    fc.oneof(
      fc.string(),
      fc.constantFrom('a.example', '192.0.2.1', null),
      fc.dictionary(fc.string(), fc.string()),
    ),
    {
      maxLength: 5,
    },
  ),
  fc.record({ value: fc.anything(), Value: fc.string() }),
)
const settingNames = [
  ...['Name', 'ConnectorType', 'Enabled', 'Comment', 'SenderDomains', 'SenderIPAddresses', 'RequireTls'],
  ...['RestrictDomainsToCertificate', 'RestrictDomainsToIPAddresses', 'TlsSenderCertificateName'],
  ...[
    'AssociatedAcceptedDomains',
    'TreatMessagesAsInternal',
    'RecipientDomains',
    'SmartHosts',
    'UseMXRecord',
  ],
  ...['TlsSettings', 'TlsDomain', 'AllAcceptedDomains', 'IsTransportRuleScoped', 'SmtpDaneMode', 'EFSkipIPs'],
]
const object = fc.record(Object.fromEntries(settingNames.map((name) => [name, odd])), { requiredKeys: [] })

test('any import becomes a valid configuration file, and has a notice for each connector left out', () => {
  const sides = fc.constantFrom(
    { SenderDomains: ['smtp:a.example;1'] },
    { RecipientDomains: ['a.example'], UseMXRecord: true },
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(sides, object), { minLength: 1, maxLength: 4 }), (some) => {
      const objects = some.map(([side, settings]) => ({ ...side, ...settings }))
      const { configuration, notices } = importObjects(readExport(Buffer.from(JSON.stringify(objects)), 'x'))
      const read = readConfiguration(writeConfiguration(configuration, 'x'), 'x', fileOptions)
      assert.deepEqual(read, configuration)
      const written = [read.inboundConnectors, read.outboundConnectors].flatMap((list) => list ?? [])
      const leftOut = notices.filter(({ weight }) => weight === 'Left out').map(({ about }) => about)
      assert.ok(written.length + leftOut.length >= objects.length)
    }),
    { numRuns: 500 },
  )
})
