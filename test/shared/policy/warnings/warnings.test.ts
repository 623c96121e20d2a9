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

/** A pair of connectors that cause no warnings. */
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
    { name: 'with its counterpart causes no warning', saved: from(), others: paired, warnings: [] },
    {
      name: 'enforces nothing when it is disabled, and has no other warning',
      saved: from({ enabled: false, senderIpAddresses: ['10.0.0.0/8'] }),
      warnings: ['enabled: nothing is enforced: the connector is disabled'],
    },
    {
      name: 'enforces nothing when it only reports',
      saved: from({ mode: 'ReportOnly' }),
      others: paired,
      warnings: ['mode: nothing is enforced: the connector is only evaluated and recorded'],
    },
    {
      name: 'leaves the other direction unprotected when there is no outbound connector',
      saved: from(),
      warnings: [
        'senderDomains: mail to contoso.example is not forced to use TLS: there is no outbound connector for it',
      ],
    },
    {
      name: 'causes a warning with exactly the domains that have no outbound connector',
      saved: from({
        senderDomains: ['a.example', 'contoso.example', '*.b.example', 'c.example', 'd.example'],
      }),
      others: paired,
      warnings: [
        'senderDomains: mail to a.example, *.b.example, c.example and 1 more is not forced to use TLS: there is no outbound connector for them',
      ],
    },
    {
      name: 'leaves the other direction unprotected when the outbound connector is disabled',
      saved: from(),
      others: { outbound: [to({ enabled: false })] },
      warnings: [
        'senderDomains: mail to contoso.example is not forced to use TLS: there is no outbound connector for it',
      ],
    },
    {
      name: 'leaves the other direction unprotected when the outbound connector only reports',
      saved: from(),
      others: { outbound: [to({ mode: 'ReportOnly' })] },
      warnings: [
        'senderDomains: mail to contoso.example is not forced to use TLS: outbound connector "Out" only reports',
      ],
    },
    {
      name: 'leaves the other direction unprotected when its outbound connector does not force TLS, even if the connector for `*` does',
      saved: from(),
      others: { outbound: [to({ tlsSettings: null }), to({ name: 'All', recipientDomains: ['*'] })] },
      warnings: [
        'senderDomains: mail to contoso.example is not forced to use TLS: outbound connector "Out" does not force TLS',
      ],
    },
    {
      name: 'leaves no direction unprotected when an outbound connector is for all domains',
      saved: from(),
      others: { outbound: [to({ recipientDomains: ['*'] })] },
      warnings: [],
    },
    {
      name: 'for subdomains leaves no direction unprotected when an outbound connector is for one of them',
      saved: from({ senderDomains: ['*.contoso.example'] }),
      others: { outbound: [to({ recipientDomains: ['mail.contoso.example'] })] },
      warnings: [],
    },
    {
      name: 'needs no counterpart for all domains, but refuses all senders',
      saved: from({ senderDomains: ['*'] }),
      warnings: ['senderDomains[0]: mail from every sender that does not use TLS is refused'],
    },
    {
      name: 'may hold the mail of all domains instead, by address',
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
      name: "needs no counterpart for the organisation's servers",
      saved: ownServer(),
      warnings: [],
    },
    {
      name: 'causes a warning for each wide range',
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
        "senderIpAddresses[2]: 2001:db8::/47 is wide: each of a /47 of IPv6 may relay as the organisation's own server; /48 or longer is usual",
        "senderIpAddresses[4]: ::ffff:10.2.0.0/119 is wide: each of 512 addresses may relay as the organisation's own server; /24 or longer is usual",
      ],
    },
    {
      name: 'has names, fingerprints and addresses that restrict nothing',
      saved: from({
        tlsSenderCertificateNames: ['mail.contoso.example'],
        certificateFingerprints: ['ab'.repeat(32)],
        senderIpAddresses: ['192.0.2.1'],
      }),
      others: paired,
      warnings: [
        'tlsSenderCertificateNames: restricts nothing: restrictDomainsToCertificate is false, so any certificate or none is accepted',
        'certificateFingerprints: restricts nothing: restrictDomainsToCertificate is false, so any certificate or none is accepted',
        'senderIpAddresses: restricts nothing: restrictDomainsToIpAddresses is false, so mail from any address is accepted',
      ],
    },
    {
      name: 'requires a purpose but no certificate',
      saved: from({ requireClientAuthEku: true }),
      others: paired,
      warnings: [
        'requireClientAuthEku: restricts nothing: restrictDomainsToCertificate is false, so any certificate or none is accepted',
      ],
    },
    {
      name: 'requires a purpose but knows only pinned certificates, which need none',
      saved: from({
        requireClientAuthEku: true,
        restrictDomainsToCertificate: true,
        certificateFingerprints: ['ab'.repeat(32)],
      }),
      others: paired,
      warnings: ['requireClientAuthEku: restricts nothing: tlsSenderCertificateNames is empty'],
    },
    {
      name: 'may require the purpose of a named certificate',
      saved: from({
        requireClientAuthEku: true,
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: ['mail.contoso.example'],
      }),
      others: paired,
      warnings: [],
    },
    {
      name: 'has one message rate for all senders',
      saved: from({ senderDomains: ['contoso.example', '*'], requireTls: false, messageRateLimit: 600 }),
      others: paired,
      warnings: [
        'requireTls: the connector requires nothing: mail in the clear is accepted',
        'messageRateLimit: all senders share this limit: when one of them uses it up, mail from the others is deferred',
      ],
    },
    {
      name: 'has a message rate that other clients can use up',
      saved: from({ messageRateLimit: 600 }),
      others: paired,
      warnings: [
        'messageRateLimit: any client that sends in the name of these domains uses it up: the connector requires neither certificate nor addresses',
      ],
    },
    {
      name: 'has a message rate that other clients can use up although their mail is held',
      saved: from({
        messageRateLimit: 600,
        onViolation: 'Defer',
        senderIpAddresses: ['192.0.2.1'],
        restrictDomainsToIpAddresses: true,
      }),
      others: paired,
      warnings: [
        'messageRateLimit: the limit includes held messages: any client that sends in the name of these domains uses it up',
      ],
    },
    {
      name: 'may have a message rate that only the partner can use up',
      saved: from({
        messageRateLimit: 600,
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: ['mail.contoso.example'],
      }),
      others: paired,
      warnings: [],
    },
    {
      name: "may have a message rate for the organisation's servers",
      saved: ownServer({ messageRateLimit: 600 }),
      warnings: [],
    },
    {
      name: 'requires nothing',
      saved: from({ requireTls: false }),
      others: paired,
      warnings: ['requireTls: the connector requires nothing: mail in the clear is accepted'],
    },
    {
      name: 'takes precedence over a wildcard and requires as much',
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
      name: 'takes precedence over a wildcard and has another requirement',
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
      name: 'yields to stricter requirements for the same domain',
      saved: from({ name: 'A' }),
      others: { inbound: [from({ minimumTlsVersion: 'TLSv1.3' })], ...paired },
      warnings: [
        'senderDomains[0]: for contoso.example "In" takes precedence over "A": it has stricter requirements',
      ],
    },
    {
      name: 'takes precedence by its name for the same wildcard',
      saved: from({ name: 'A', senderDomains: ['*.contoso.example'] }),
      others: { inbound: [from({ senderDomains: ['*.contoso.example'] })], ...paired },
      warnings: [
        'senderDomains[0]: for *.contoso.example "A" takes precedence over "In": it comes first by name',
      ],
    },
    {
      name: 'takes precedence over a wider wildcard although it requires less',
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
      name: 'does not overlap with a domain that only ends with the same letters',
      saved: from(),
      others: {
        inbound: [from({ name: 'B', senderDomains: ['*.oso.example', 'notcontoso.example'] })],
        ...paired,
      },
      warnings: [],
    },
    {
      name: 'yields for all domains to all weaker connectors, in one sentence',
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
      name: 'does not overlap with a report-only one, a disabled one or its own previous version',
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
      name: "does not overlap with a connector for the organisation's servers",
      saved: from(),
      others: { inbound: [ownServer({ senderDomains: ['contoso.example'] })], ...paired },
      warnings: [],
    },
    {
      name: "does not overlap, for the organisation's servers, with a connector for another server",
      saved: ownServer(),
      others: { inbound: [ownServer({ name: 'Branch', senderIpAddresses: ['192.0.2.2'] })] },
      warnings: [],
    },
    {
      name: "overlaps, for the organisation's servers, with a connector for the same address",
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
      name: "overlaps, for the organisation's servers, with a report-only connector for the same certificate",
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
    { name: 'with its counterpart causes no warning', saved: to(), others: paired, warnings: [] },
    { name: "to the organisation's servers needs no counterpart", saved: mailboxes, warnings: [] },
    {
      name: 'leaves the other direction unprotected when there is no inbound connector',
      saved: to(),
      warnings: [
        'recipientDomains: mail from contoso.example is accepted in the clear: there is no inbound Partner connector for it',
      ],
    },
    {
      name: 'leaves the other direction unprotected when the inbound connector does not require TLS',
      saved: to(),
      others: { inbound: [from({ requireTls: false })] },
      warnings: [
        'recipientDomains: mail from contoso.example is accepted in the clear: inbound connector "In" does not require TLS',
      ],
    },
    {
      name: 'leaves the other direction unprotected when the inbound connector only reports',
      saved: to(),
      others: { inbound: [from({ mode: 'ReportOnly' })] },
      warnings: [
        'recipientDomains: mail from contoso.example is accepted in the clear: inbound connector "In" only reports',
      ],
    },
    {
      name: 'leaves the other direction unprotected when the only inbound connector grants relay',
      saved: to(),
      others: { inbound: [ownServer()] },
      warnings: [
        'recipientDomains: mail from contoso.example is accepted in the clear: there is no inbound Partner connector for it',
      ],
    },
    {
      name: 'does not force TLS',
      saved: to({ tlsSettings: null }),
      others: paired,
      warnings: [
        'tlsSettings: TLS is not forced: mail is sent in the clear to a server that does not offer TLS',
      ],
    },
    {
      name: 'reports nothing through SES',
      saved: to({ mode: 'ReportOnly', route: 'Ses', tlsSettings: 'EncryptionOnly' }),
      others: paired,
      warnings: [
        'mode: nothing is enforced: the connector is only evaluated and recorded',
        'mode: reports nothing: Amazon SES does not report the TLS of its deliveries',
      ],
    },
    {
      name: 'forces TLS on all domains',
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
      name: 'may force TLS on all domains with a smart host',
      saved: to({
        recipientDomains: ['*'],
        route: 'SmartHosts',
        smartHosts: [{ host: 'relay.example', port: 25 }],
        tlsSettings: 'EncryptionOnly',
      }),
      warnings: [],
    },
    {
      name: 'may cause a mail loop with route Mx for an accepted domain',
      saved: to({ connectorType: 'OnPremises', recipientDomains: ['*.ours.example'] }),
      others: { accepted: ['ours.example', 'eu.ours.example', 'branch.example'] },
      warnings: [
        'route: ours.example and eu.ours.example: accepted by mailflow, so delivery by MX lookup may cause a mail loop; use route SmartHosts to name the mailbox servers',
      ],
    },
    {
      name: 'yields to a weaker connector, which comes first among the overlaps',
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
      name: 'yields to an enforced connector when it only reports, even if it is more specific',
      saved: to({ mode: 'ReportOnly', name: 'Report only' }),
      others: { outbound: [to({ recipientDomains: ['*'] })], ...paired },
      warnings: [
        'mode: nothing is enforced: the connector is only evaluated and recorded',
        'recipientDomains[0]: for contoso.example "Out" takes precedence over "Report only": it is enforced, and the other only reports',
      ],
    },
    {
      name: 'yields for all accepted domains to a connector for a single domain',
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
      name: 'does not overlap in accepted domains when it is for all domains with route Mx',
      saved: to({ recipientDomains: ['*'], tlsSettings: null }),
      others: { outbound: [mailboxes] },
      warnings: [
        'tlsSettings: TLS is not forced: mail is sent in the clear to a server that does not offer TLS',
      ],
    },
    {
      name: 'overlaps in accepted domains when it is for all domains with smart hosts',
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

describe('certificate authorities', () => {
  let ca: string
  before(async () => {
    ca = (await createPki('Contoso Root')).ca
  })
  const names = { tlsSenderCertificateNames: ['mail.contoso.example'], restrictDomainsToCertificate: true }
  const onDay = (date: Date) => date.toISOString().slice(0, 10)
  /** The authority is valid from yesterday, for thirty-one days. `at` is in days from now. */
  const rows: { name: string; at: number; says: () => string[] }[] = [
    { name: 'in their dates cause no warning', at: -0.5, says: () => [] },
    {
      name: 'cause a warning if they expire soon',
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

  test('cause a warning in both directions if no check uses them', () => {
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

describe('the warnings of many connectors', () => {
  test('are cut to twenty, with the number of the others', () => {
    const senderIpAddresses = Array.from({ length: 25 }, (_, n) => `10.${n}.0.0/16`)
    const warnings = inboundWarnings(ownServer({ senderIpAddresses }), among({}), now)
    assert.equal(warnings.length, 21)
    assert.deepEqual(warnings.at(-1), { path: '', message: 'and 5 more warnings' })
  })

  test('state that the others could not be read, and still include those of the connector alone', () => {
    assert.deepEqual(warningTexts(outboundWarnings(to({ tlsSettings: null }), null, now)), [
      'the connector is saved, but not compared with the others, which could not be read; save it again to compare it',
      'tlsSettings: TLS is not forced: mail is sent in the clear to a server that does not offer TLS',
    ])
  })

  test('name only the first of ten thousand connectors', () => {
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
    assert.match(warnings[1] ?? '', /^has 19500 more overlaps with other connectors/)
  })
})

describe('the scope WhatWeakens', () => {
  const wide = from({ senderDomains: ['*.contoso.example'] })
  const weakeningWarnings = (saved: InboundConnector) => {
    const allConnectors = among({
      inbound: [wide],
      outbound: [to({ recipientDomains: ['*.contoso.example'] })],
    })
    return warningTexts(inboundWarnings(saved, allConnectors, now, 'WhatWeakens'))
  }

  test('leaves out a more specific connector that requires as much', () => {
    assert.deepEqual(weakeningWarnings(from({ name: 'Mail', senderDomains: ['mail.contoso.example'] })), [])
  })

  test('includes a connector that requires less', () => {
    const laxer = from({ name: 'Mail', senderDomains: ['mail.contoso.example'], requireTls: false })
    assert.match(
      weakeningWarnings(laxer).join(),
      /"Mail" takes precedence over "In": .*, and requires less than "In"/,
    )
  })
})
