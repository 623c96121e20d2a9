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

const fixtures = join(import.meta.dirname, '../../fixtures')
const inboundFile = join(fixtures, 'exchange-inbound.json')
const outboundFile = join(fixtures, 'exchange-outbound.json')

/** What comes of one object: its fields, and what is said of it. */
function imported(object: object) {
  const { configuration, notices } = importObjects(
    readExport(Buffer.from(JSON.stringify(object)), 'test.json'),
  )
  const [one] = configuration.inboundConnectors ?? configuration.outboundConnectors ?? []
  return { fields: one?.fields ?? null, notices: notices.map(({ weight, says }) => `${weight}: ${says}`) }
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

/** Some fields of what is written, and the beginnings of what is said; nothing else may be said. */
interface Row {
  shows: string
  from: object
  fields?: Record<string, unknown> | null
  said?: string[]
}

const onPremises = { ConnectorType: 'OnPremises', SenderDomains: ['smtp:*;1'] }

const inboundRows: Row[] = [
  {
    shows: 'what is listed twice is listed once',
    from: inbound({
      SenderDomains: ['smtp:contoso.example;1', 'smtp:CONTOSO.example;1'],
      SenderIPAddresses: ['192.0.2.1', '2001:db8::A', '192.0.2.1', '2001:DB8::a'],
      RestrictDomainsToIPAddresses: true,
    }),
    fields: { senderDomains: ['contoso.example'], senderIpAddresses: ['192.0.2.1', '2001:DB8::a'] },
  },
  {
    shows: 'a sender domain loses its type and its cost',
    from: { SenderDomains: ['smtp:contoso.example;1', 'SMTP:*.sub.contoso.example;1', 'plain.example'] },
    fields: { senderDomains: ['contoso.example', '*.sub.contoso.example', 'plain.example'] },
  },
  {
    shows: 'a cost that says something is said to be ignored',
    from: { SenderDomains: ['smtp:contoso.example;5'] },
    fields: { senderDomains: ['contoso.example'] },
    said: ['Note: SenderDomains "smtp:contoso.example;5": its cost is ignored'],
  },
  {
    shows: 'every accepted domain cannot be written, and a restriction for them is missed aloud',
    from: { SenderDomains: ['smtp:--;1', 'smtp:contoso.example;1'] },
    fields: { senderDomains: ['contoso.example'] },
    said: ['Weaker than in Exchange: SenderDomains "smtp:--;1" means every accepted domain'],
  },
  {
    shows: 'a wildcard in the middle is no domain',
    from: { SenderDomains: ['smtp:a.*.contoso.example;1'] },
    fields: null,
    said: ['Left out: it has no sender domain'],
  },
  {
    shows: 'a certificate that is demanded is demanded',
    from: { RestrictDomainsToCertificate: true, TlsSenderCertificateName: 'mail.contoso.example' },
    fields: {
      requireTls: true,
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['mail.contoso.example'],
    },
  },
  {
    shows: "Exchange's wildcard name also stands for the domain itself",
    from: { RestrictDomainsToCertificate: true, TlsSenderCertificateName: '*.contoso.example' },
    fields: { tlsSenderCertificateNames: ['*.contoso.example', 'contoso.example'] },
    said: ['Note: TlsSenderCertificateName "*.contoso.example" is listed with contoso.example'],
  },
  {
    shows: 'a demanded certificate implies TLS',
    from: { RequireTls: false, RestrictDomainsToCertificate: true, TlsSenderCertificateName: 'a.example' },
    fields: { requireTls: true, restrictDomainsToCertificate: true },
    said: ['Note: RequireTls is false while a certificate is demanded'],
  },
  {
    shows: 'a name without RequireTls and without a restriction had no effect',
    from: { RequireTls: false, TlsSenderCertificateName: 'a.example' },
    fields: { requireTls: false, tlsSenderCertificateNames: [] },
    said: ['Note: TlsSenderCertificateName had no effect'],
  },
  {
    shows: 'the issuer of a certificate is missed aloud',
    from: {
      RestrictDomainsToCertificate: true,
      TlsSenderCertificateName: '<I>CN=Some CA, O=Some<S>CN=mail.contoso.example, O=Contoso',
    },
    fields: { tlsSenderCertificateNames: ['mail.contoso.example'] },
    said: ['Weaker than in Exchange: TlsSenderCertificateName also names the issuer'],
  },
  {
    shows: 'a restriction to no certificate keeps TLS and is missed aloud',
    from: { RequireTls: false, RestrictDomainsToCertificate: true, TlsSenderCertificateName: null },
    fields: { requireTls: true, restrictDomainsToCertificate: false },
    said: ['Weaker than in Exchange: RestrictDomainsToCertificate names no certificate'],
  },
  {
    shows: 'addresses restrict',
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
    shows: 'a restriction to addresses that cannot be written is missed aloud',
    from: { RestrictDomainsToIPAddresses: true, SenderIPAddresses: ['192.0.2.1-192.0.2.9'] },
    fields: { requireTls: true, restrictDomainsToIpAddresses: false, senderIpAddresses: [] },
    said: [
      'Note: SenderIPAddresses "192.0.2.1-192.0.2.9" is not an address',
      'Weaker than in Exchange: RestrictDomainsToIPAddresses lists no address',
    ],
  },
  {
    shows: 'of both restrictions the certificate stays',
    from: {
      RestrictDomainsToCertificate: true,
      RestrictDomainsToIPAddresses: true,
      TlsSenderCertificateName: 'a.example',
      SenderIPAddresses: ['192.0.2.1'],
    },
    fields: { restrictDomainsToCertificate: true, restrictDomainsToIpAddresses: false },
    said: ['Weaker than in Exchange: it restricts to a certificate and to addresses'],
  },
  {
    shows: 'a restriction is not narrowed to associated domains',
    from: { AssociatedAcceptedDomains: ['ours.example'] },
    fields: { senderDomains: ['contoso.example'] },
    said: ['Stricter than in Exchange: AssociatedAcceptedDomains is not carried over'],
  },
  {
    shows: 'what Partner connectors cannot have is left out',
    from: { TreatMessagesAsInternal: true },
    fields: { treatMessagesAsInternal: false },
    said: ['Note: TreatMessagesAsInternal is for OnPremises'],
  },
  {
    shows: 'our own servers are known by their certificate',
    from: { ...onPremises, TlsSenderCertificateName: 'mail.ours.example', TreatMessagesAsInternal: true },
    fields: {
      connectorType: 'OnPremises',
      senderDomains: ['*'],
      tlsSenderCertificateNames: ['mail.ours.example'],
      treatMessagesAsInternal: true,
    },
    said: ['Note: TreatMessagesAsInternal is kept, and has no effect'],
  },
  {
    shows: 'our own servers known by certificate alone show it over TLS',
    from: { ...onPremises, RequireTls: false, TlsSenderCertificateName: 'mail.ours.example' },
    fields: { requireTls: true, tlsSenderCertificateNames: ['mail.ours.example'] },
    said: ['Note: RequireTls is false, but only TLS can show the certificate'],
  },
  {
    shows: 'our own servers in the clear are known by their addresses, as in Exchange',
    from: {
      ...onPremises,
      RequireTls: false,
      TlsSenderCertificateName: 'a.example',
      SenderIPAddresses: ['192.0.2.1'],
    },
    fields: { requireTls: false, tlsSenderCertificateNames: [], senderIpAddresses: ['192.0.2.1'] },
    said: ['Note: TlsSenderCertificateName had no effect'],
  },
  {
    shows: 'who may relay is narrowed to associated domains',
    from: {
      ...onPremises,
      SenderIPAddresses: ['192.0.2.1'],
      AssociatedAcceptedDomains: ['ours.example', 'Branch.example'],
    },
    fields: { senderDomains: ['ours.example', 'branch.example'] },
    said: ['Note: AssociatedAcceptedDomains narrows its sender domains to ours.example, branch.example'],
  },
  {
    shows: 'nobody may relay by a connector that knows nobody',
    from: onPremises,
    fields: null,
    said: ['Left out: it names neither an address nor a certificate'],
  },
  {
    shows: 'restrictions have no effect on our own servers',
    from: { ...onPremises, SenderIPAddresses: ['192.0.2.1'], RestrictDomainsToIPAddresses: true },
    fields: { restrictDomainsToIpAddresses: false },
    said: ['Note: RestrictDomainsToIPAddresses has no effect on OnPremises'],
  },
  {
    shows: 'what has no counterpart is named when it is in use',
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
    said: [
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
    shows: 'what is not in use, and what only Exchange administers, is passed over',
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
    shows: 'a setting that nobody here knows is named',
    from: { NewThing: 'Always', OtherThing: false },
    fields: {},
    said: ['Note: NewThing (Always) is not known here'],
  },
  {
    shows: 'an enumeration may be a number',
    from: { ...onPremises, ConnectorType: 1, SenderIPAddresses: ['192.0.2.1'] },
    fields: { connectorType: 'OnPremises' },
  },
  {
    shows: 'an enumeration may be its number and its name',
    from: {
      ...onPremises,
      ConnectorType: { value: 1, Value: 'OnPremises' },
      SenderIPAddresses: ['192.0.2.1'],
    },
    fields: { connectorType: 'OnPremises' },
  },
  {
    shows: 'a type that Exchange does not have is not guessed',
    from: { ConnectorType: 'Something' },
    fields: null,
    said: ['Left out: ConnectorType "Something"'],
  },
  {
    shows: 'lists may be wrapped, joined or single',
    from: {
      SenderDomains: { value: ['smtp:a.example;1', 'smtp:b.example;1'], Count: 2 },
      SenderIPAddresses: '192.0.2.1 192.0.2.2',
    },
    fields: { senderDomains: ['a.example', 'b.example'], senderIpAddresses: ['192.0.2.1', '192.0.2.2'] },
  },
  {
    shows: 'objects in lists are read by their address',
    from: {
      SenderDomains: [{ Type: 'smtp', Address: 'a.example', Cost: 1 }],
      SenderIPAddresses: [{ Expression: '192.0.2.1' }],
    },
    fields: { senderDomains: ['a.example'], senderIpAddresses: ['192.0.2.1'] },
  },
  {
    shows: 'a disabled connector stays disabled',
    from: { Enabled: false, Comment: 'Old' },
    fields: { enabled: false, comment: 'Old' },
  },
  {
    shows: 'a long comment is cut, aloud',
    from: { Comment: 'x'.repeat(2000) },
    fields: { comment: 'x'.repeat(1024) },
    said: ['Note: Comment is cut'],
  },
  {
    shows: 'a long name is cut, aloud',
    from: { Name: 'n'.repeat(70) },
    fields: { name: 'n'.repeat(64) },
    said: ['Note: the name is shortened'],
  },
]

const outboundRows: Row[] = [
  {
    shows: 'MX and a name to validate',
    from: { TlsSettings: 'DomainValidation', TlsDomain: 'mx.contoso.example' },
    fields: { route: 'Mx', tlsSettings: 'DomainValidation', tlsDomain: 'mx.contoso.example' },
  },
  {
    shows: 'smart hosts by name and by address literal',
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
    shows: 'smart hosts beside MX had no effect',
    from: { SmartHosts: ['mail.contoso.example'] },
    fields: { route: 'Mx', smartHosts: [] },
    said: ['Note: SmartHosts had no effect'],
  },
  {
    shows: 'mail does not go by MX because its smart host cannot be written',
    from: { UseMXRecord: false, SmartHosts: ['192.0.2.0/25'] },
    fields: { enabled: false, route: 'Mx' },
    said: ['Note: SmartHosts "192.0.2.0/25"', 'Disabled: UseMXRecord is false and no smart host'],
  },
  {
    shows: 'no TLS settings are opportunistic TLS',
    from: { TlsSettings: null, TlsDomain: '' },
    fields: { tlsSettings: null, tlsDomain: null },
  },
  ...[
    [1, 'EncryptionOnly'],
    [2, 'CertificateValidation'],
    ['certificatevalidation', 'CertificateValidation'],
  ].map(
    ([from, to]): Row => ({
      shows: `TLS settings ${from} are ${to}`,
      from: { TlsSettings: from },
      fields: { tlsSettings: to },
    }),
  ),
  {
    shows: 'TLS settings 4 are DomainValidation',
    from: { TlsSettings: 4, TlsDomain: 'mx.contoso.example' },
    fields: { tlsSettings: 'DomainValidation', tlsDomain: 'mx.contoso.example' },
  },
  {
    shows: 'unknown TLS settings send nothing in the clear',
    from: { TlsSettings: 'Quantum' },
    fields: { tlsSettings: 'CertificateValidation' },
    said: ['Stricter than in Exchange: TlsSettings "Quantum"'],
  },
  {
    shows: 'a name that is not validated is left out',
    from: { TlsDomain: 'mx.contoso.example' },
    fields: { tlsSettings: 'EncryptionOnly', tlsDomain: null },
    said: ['Note: TlsDomain had no effect'],
  },
  {
    shows: 'a wildcard name stands for one label',
    from: { TlsSettings: 'DomainValidation', TlsDomain: '*.contoso.example' },
    fields: { tlsDomain: '*.contoso.example' },
    said: ['Note: TlsDomain "*.contoso.example": "*." stands for one label here'],
  },
  {
    shows: 'the only smart host says which name to validate',
    from: { TlsSettings: 'DomainValidation', UseMXRecord: false, SmartHosts: ['mx.contoso.example'] },
    fields: { tlsSettings: 'DomainValidation', tlsDomain: 'mx.contoso.example' },
    said: ['Note: TlsDomain is empty; the name of its only smart host'],
  },
  {
    shows: 'a validation without a name keeps the certificate and is missed aloud',
    from: { TlsSettings: 'DomainValidation' },
    fields: { tlsSettings: 'CertificateValidation', tlsDomain: null, enabled: true },
    said: ['Weaker than in Exchange: DomainValidation has no name to look for'],
  },
  {
    shows: 'what transport rules send to is disabled',
    from: { IsTransportRuleScoped: true },
    fields: { enabled: false, recipientDomains: ['contoso.example'] },
    said: ['Disabled: IsTransportRuleScoped'],
  },
  {
    shows: 'what is disabled already must not be enabled lightly',
    from: { Enabled: false, IsTransportRuleScoped: true, TestMode: true },
    fields: { enabled: false },
    said: ['Disabled: IsTransportRuleScoped', 'Disabled: TestMode'],
  },
  {
    shows: 'what only transport rules send to is left out',
    from: { IsTransportRuleScoped: true, RecipientDomains: [], SenderRewritingEnabled: true },
    fields: null,
    said: ['Left out: it has no recipient domain; transport rules sent mail to it'],
  },
  {
    shows: 'what is tested takes no mail',
    from: { TestMode: true },
    fields: { enabled: false },
    said: ['Disabled: TestMode'],
  },
  {
    shows: 'accepted domains are for our own servers',
    from: { ConnectorType: 'OnPremises', AllAcceptedDomains: true, RecipientDomains: null },
    fields: { allAcceptedDomains: true, recipientDomains: [] },
  },
  {
    shows: 'accepted domains are not for partners',
    from: { AllAcceptedDomains: true },
    fields: { allAcceptedDomains: false },
    said: ['Note: AllAcceptedDomains is for OnPremises'],
  },
  {
    shows: 'everything by our own servers is missed aloud',
    from: { ConnectorType: 'OnPremises', RouteAllMessagesViaOnPremises: true },
    fields: {},
    said: ['Weaker than in Exchange: RouteAllMessagesViaOnPremises'],
  },
  {
    shows: 'everything by our own servers may be said by domains',
    from: { ConnectorType: 'OnPremises', RouteAllMessagesViaOnPremises: true, RecipientDomains: ['*'] },
    fields: { recipientDomains: ['*'] },
  },
  {
    shows: 'DANE and MTA-STS may be turned off',
    from: { SmtpDaneMode: 'None', MtaStsMode: 'None' },
    fields: { smtpDaneMode: 'None', mtaStsMode: 'None' },
  },
  {
    shows: 'DANE and MTA-STS that Exchange enforced where they are published are missed aloud',
    from: {
      TlsSettings: 'EncryptionOnly',
      TlsDomain: null,
      SmtpDaneMode: 'Opportunistic',
      MtaStsMode: 'Opportunistic',
    },
    fields: { tlsSettings: 'EncryptionOnly' },
    said: ['Weaker than in Exchange: SmtpDaneMode and MtaStsMode: what recipient domains publish'],
  },
  {
    shows: 'DANE and MTA-STS are not missed where the connector demands a certificate by itself',
    from: { TlsSettings: 'CertificateValidation', TlsDomain: null, SmtpDaneMode: 'Opportunistic' },
    fields: { tlsSettings: 'CertificateValidation' },
  },
  {
    shows: 'DANE that was demanded is missed aloud',
    from: { SmtpDaneMode: 'Mandatory' },
    fields: { smtpDaneMode: 'Opportunistic' },
    said: ['Weaker than in Exchange: SmtpDaneMode "Mandatory"'],
  },
  {
    shows: 'what has no counterpart is named when it is in use',
    from: {
      CloudServicesMailEnabled: true,
      SenderRewritingEnabled: true,
      ValidationRecipients: ['a@contoso.example'],
      IsValidated: true,
      LastValidationTimestamp: '2025-11-03T08:20:00',
    },
    fields: {},
    said: ['Note: CloudServicesMailEnabled', 'Note: SenderRewritingEnabled', 'Note: ValidationRecipients'],
  },
]

for (const [direction, make, rows] of [
  ['an inbound connector', inbound, inboundRows],
  ['an outbound connector', outbound, outboundRows],
] as const)
  describe(`import of ${direction}`, () => {
    for (const { shows, from, fields = {}, said = [] } of rows)
      test(shows, () => {
        const { fields: got, notices } = imported(make(from))
        if (fields === null) assert.equal(got, null)
        else assert.deepEqual({ ...got, ...fields }, got)
        assert.deepEqual(
          notices.map((notice) => said.find((start) => notice.startsWith(start)) ?? notice).sort(),
          [...said].sort(),
        )
      })
  })

describe('import of files', () => {
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
    ['UTF-16 the other way round', Buffer.from(`\ufeff${json}`, 'utf16le').swap16()],
  ]
  for (const [encoding, octets] of encodings)
    test(`reads ${encoding}`, async () => {
      const { status, out } = await mailflow(['connectors', 'import-exchange', file('one.json', octets)])
      assert.equal(status, 0)
      assert.deepEqual(
        parse(out).inboundConnectors.map(({ name }: { name: string }) => name),
        ['Größe'],
      )
    })

  test('writes a file that has no fault, and says what to decide about', async () => {
    const { status, out, err } = await mailflow(['connectors', 'import-exchange', inboundFile, outboundFile])
    assert.equal(status, 0)
    const { inboundConnectors, outboundConnectors, acceptedDomains } = readConfiguration(out, 'imported.yaml')
    assert.deepEqual(
      [inboundConnectors?.length, outboundConnectors?.length, acceptedDomains],
      [10, 11, null],
      'of 11 and 12, one each is left out; of accepted domains nothing was given',
    )
    assert.match(
      err,
      /2 × Left out, 3 × Disabled, 6 × Weaker than in Exchange\.\nNo accepted domain is among them\. .*\n$/,
    )
  })

  test('writes what to decide about into the file, for whoever reads it later', async () => {
    const { out } = await mailflow(['connectors', 'import-exchange', inboundFile, outboundFile])
    assert.match(out, /^# Imported from .*\n# Left out: inbound connector "Anyone": /)
    assert.match(out, /\n {2}# Disabled: IsTransportRuleScoped.*\n {2}- name: Encryption gateway\n/)
    assert.match(out, /\n {2}# Weaker than in Exchange: .*addresses are not\.\n {2}- name: From Adatum\n/)
    assert.doesNotMatch(out, /# Note/)
  })

  test('tells of every connector of the files, by what it writes or by what it says', async () => {
    const { out, err } = await mailflow(['connectors', 'import-exchange', inboundFile, outboundFile])
    for (const { Name } of [inboundFile, outboundFile].flatMap((name) =>
      JSON.parse(readFileSync(name, 'utf8')),
    ))
      assert.ok(out.includes(Name) || err.includes(Name), Name)
  })

  test('says what an export of some properties does not tell', () => {
    const { notices } = imported({
      Name: 'A',
      ConnectorType: 'Partner',
      SenderDomains: ['a.example'],
      RequireTls: true,
    })
    assert.match(
      notices.join(),
      /^Weaker than in Exchange: the export does not tell of RestrictDomainsToCertificate, R/,
    )
    const other = imported({ Name: 'A', ConnectorType: 'Partner', RecipientDomains: ['a.example'] })
    assert.match(other.notices.join(), /^Weaker than in Exchange: the export does not tell of TlsSettings;/)
  })

  test('gives each connector a name of its own, whatever the letter case', () => {
    const objects = ['One', 'ONE', 'one'].map((Name) => inbound({ Name }))
    const { configuration, notices } = importObjects(readExport(Buffer.from(JSON.stringify(objects)), 'x'))
    assert.deepEqual(
      configuration.inboundConnectors?.map(({ label }) => label),
      ['One', 'ONE (2)', 'one (3)'],
    )
    assert.equal(notices.length, 2)
  })

  test('takes a connector that is in two files once', () => {
    const objects = [inbound({ Guid: 'a' }), inbound({ Guid: 'a' })]
    const { configuration, notices } = importObjects(readExport(Buffer.from(JSON.stringify(objects)), 'x'))
    assert.deepEqual([configuration.inboundConnectors?.length, notices], [1, []])
  })

  test("takes accepted domains, but Microsoft's", async () => {
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
    assert.match(err, /accepted domain "ours\.onmicrosoft\.com"\n {2}Left out: it is Microsoft's/)
  })

  const faulty: [string, string | Buffer, RegExp][] = [
    ['what is not JSON', 'Name : Contoso', /one\.json is not JSON/],
    [
      'an object of another kind',
      '[{"Name":"x"}]',
      /number 1 is neither an inbound nor an outbound connector/,
    ],
    [
      "Exchange Server's connectors",
      '{"AddressSpaces":["*"]}',
      /Send or Receive connector of Exchange Server/,
    ],
    ['an empty list', '[]', /holds no connector/],
    [
      'a text in the encoding of an old Windows, and how to write it',
      Buffer.from('{"Name":"München"}', 'latin1'),
      /one\.json is neither UTF-8 nor UTF-16 .*\n {2}Write it with: .* Out-File FILE/,
    ],
  ]
  for (const [what, content, message] of faulty)
    test(`names the file with ${what}`, async () => {
      const { status, out, err } = await mailflow([
        'connectors',
        'import-exchange',
        file('one.json', content),
      ])
      assert.deepEqual([status, out], [1, ''])
      assert.match(err, message)
    })

  test('names the file that is not there', async () => {
    const { status, err } = await mailflow(['connectors', 'import-exchange', join(folder, 'none.json')])
    assert.equal(status, 1)
    assert.match(err, /none\.json cannot be read: there is no such file/)
  })
})

/** Whatever PowerShell, or an editor, makes of a value. */
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

test('whatever stands in an export, what is written has no fault and nothing is dropped without a word', () => {
  const sides = fc.constantFrom(
    { SenderDomains: ['smtp:a.example;1'] },
    { RecipientDomains: ['a.example'], UseMXRecord: true },
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(sides, object), { minLength: 1, maxLength: 4 }), (some) => {
      const objects = some.map(([side, settings]) => ({ ...side, ...settings }))
      const { configuration, notices } = importObjects(readExport(Buffer.from(JSON.stringify(objects)), 'x'))
      const read = readConfiguration(writeConfiguration(configuration, 'x'), 'x')
      assert.deepEqual(read, configuration)
      const written = [read.inboundConnectors, read.outboundConnectors].flatMap((list) => list ?? [])
      const leftOut = notices.filter(({ weight }) => weight === 'Left out').map(({ about }) => about)
      assert.ok(written.length + leftOut.length >= objects.length)
    }),
    { numRuns: 500 },
  )
})
