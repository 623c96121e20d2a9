/** Dry runs of mail whose facts are special: refused sessions, Exchange Online, several recipients, other next hops. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { OutboundConnector } from '../../../../shared/connectors/schema.ts'
import { maxCertificateColumnLength } from '../../../../shared/contract/events.ts'
import type { AttemptContext } from '../../../../shared/contract/jobs.ts'
import type { Attempt, AttemptTls, Message } from '../../../../shared/contract/message.ts'
import { compareDryRuns, dryRun } from '../../../../shared/event-queries/dry-run/dry-run.ts'
import type { DryRunResult } from '../../../../shared/event-queries/dry-run/dry-run-result.ts'
import type { MailFacts } from '../../../../shared/event-queries/dry-run/mail-facts.ts'
import type { Settings } from '../../../../shared/policy/evaluate.ts'
import { compileSnapshot, type Snapshot } from '../../../../shared/policy/snapshot.ts'
import { attempt, authenticated, inbound, message, overTls, overTlsWith } from '../../../support/fixtures.ts'
import { contosoCa, mailboxes, organisationServer, viaSmartHosts } from '../../policy/cases/notation.ts'
import { factsOfMessage, factsOfRefusal } from './past-events.ts'

const settings: Settings = { defaultRoute: 'Mx' }

type Connectors = Partial<Parameters<typeof compileSnapshot>[0]>

/** With the connector to the mailboxes of ours.example. */
const connectors = ({
  inbound: received = [],
  outbound: sent = [],
  acceptedDomains,
}: Connectors = {}): Snapshot =>
  compileSnapshot({
    version: 1,
    inbound: received,
    outbound: [mailboxes(), ...sent],
    acceptedDomains: acceptedDomains ?? [{ domain: 'ours.example' }],
  })

/** As one text: the outcome, the reason and the connector, or what is missing. */
function textOf(result: DryRunResult): string {
  if (result.outcome === 'Undetermined') return `Undetermined: ${result.missing}`
  const { outcome, reason, connector, level, tlsResult, unlessRevoked } = result
  const text = [outcome, reason, connector, level, tlsResult].filter(Boolean).join(' ')
  return unlessRevoked ? `${text} unless revoked` : text
}

const run = (facts: MailFacts, snapshot: Snapshot, given = settings) => textOf(dryRun(facts, snapshot, given))

const mail = (fields: Parameters<typeof message>[0] = {}) =>
  message({ mailFrom: 'a@contoso.example', ...fields })
const mailbox = 'b@ours.example'
const elsewhere = 'b@northwind.example'

const toMailboxes = 'Sent ConnectorMatched id-mailboxes Opportunistic'
const forced = inbound({ requireTls: true })

describe('a dry run of a refused session', () => {
  type Rejected = Parameters<typeof factsOfRefusal>[2]
  const rows: [
    name: string,
    rejected: Rejected & { to?: string; message?: Message },
    connectors: Connectors,
    result: string,
  ][] = [
    ['that a changed connector admits', { reason: 'InboundTlsRequired' }, {}, toMailboxes],
    [
      'that a connector still refuses',
      { reason: 'InboundAddressRestriction' },
      { inbound: [forced] },
      'Refused InboundTlsRequired id-contoso EncryptionOnly',
    ],
    [
      'whose client becomes one of the organisation',
      { reason: 'RelayDenied', to: elsewhere },
      { inbound: [organisationServer({ senderIpAddresses: ['192.0.2.1'], requireTls: false })] },
      'Sent DefaultRoute Opportunistic',
    ],
    ['that is too large', { stage: 'Mail', reason: 'MessageTooLarge' }, {}, 'Refused MessageTooLarge'],
    [
      'that is too large at the end of data, for a recipient that a connector refuses now',
      { stage: 'Data', reason: 'MessageTooLarge' },
      { inbound: [forced] },
      'Refused InboundTlsRequired id-contoso EncryptionOnly',
    ],
    [
      'that is too large at the end of data, for several recipients',
      { stage: 'Data', reason: 'MessageTooLarge', hasNoRecipient: true },
      {},
      'Undetermined: The event does not hold the recipients of the refused message.',
    ],
    [
      'with a malformed address, whatever connectors say',
      { reason: 'AddressMalformed', hasNoRecipient: true },
      { inbound: [forced] },
      'Refused AddressMalformed',
    ],
    [
      'whose client was not asked for a certificate',
      { reason: 'CertificateNotRequested' },
      {},
      'Undetermined: The client was not asked for a certificate in that session.',
    ],
    [
      'to an unknown recipient of a domain with a list',
      { reason: 'UnknownRecipient' },
      { acceptedDomains: [{ domain: 'ours.example', recipients: 'SmtpCallout' }] },
      'Refused UnknownRecipient',
    ],
    [
      'to an unknown recipient of a domain without one any more',
      { reason: 'UnknownRecipient' },
      {},
      toMailboxes,
    ],
    [
      'of a connector, to a recipient that was not checked',
      { reason: 'InboundTlsRequired' },
      { acceptedDomains: [{ domain: 'ours.example', recipients: 'SmtpCallout' }] },
      'Undetermined: The session was refused before the ingress checked whether the recipient exists.',
    ],
    [
      'that exceeds the rate of a connector',
      { reason: 'MessageRate', connector: 'id-contoso' },
      { inbound: [inbound({ requireTls: false, messageRateLimit: 5 })] },
      "Undetermined: The events do not hold the rate of the connector's mail.",
    ],
    [
      'that exceeds the rate of a connector without a rate any more',
      { reason: 'MessageRate', connector: 'id-contoso' },
      { inbound: [inbound({ requireTls: false })] },
      toMailboxes,
    ],
    [
      'of an address that exceeds its rate',
      { reason: 'MessageRatePerAddress' },
      {},
      'Refused MessageRatePerAddress',
    ],
  ]
  for (const [name, { to = mailbox, message: given = mail(), ...rejected }, current, result] of rows)
    test(name, () => assert.equal(run(factsOfRefusal(given, to, rejected), connectors(current)), result))

  test('to the postmaster of the gateway is for the mailbox of that time', () => {
    const facts = factsOfRefusal(mail(), 'postmaster@mx.ours.example', { reason: 'InboundTlsRequired' })
    const postmaster = { hostname: 'mx.ours.example', mailbox: null }
    assert.equal(run(facts, connectors(), { ...settings, postmaster }), toMailboxes)
    assert.equal(run(facts, connectors()), 'Refused RelayDenied')
  })

  test('that is counted with others is not determined, and a comparison does not call it the same', () => {
    const {
      sender: _,
      recipient: _r,
      ...counted
    } = factsOfRefusal(mail(), mailbox, { reason: 'RelayDenied' })
    assert.match(run(counted, connectors()), /^Undetermined: Rejections of an attack are counted together/)
    assert.equal(compareDryRuns(counted, connectors(), connectors(), settings).kind, 'Undetermined')
  })
})

describe('a dry run of mail of Exchange Online', () => {
  const tenantId = '72f988bf-86f1-41af-91ab-2d7cd011db47'
  const name = 'mail.protection.outlook.com'
  const tls = overTlsWith({ subjectAltNames: [name], revocation: { status: 'Good', detail: '' } })
  const tenant = organisationServer({
    tlsSenderCertificateNames: [name],
    exchangeOnline: { tenantIds: [tenantId], originatorOrganizations: [] },
  })
  const fields = (tenantIds: string[], alignedSignatures: string[] | null = null) => ({
    exchangeOnline: { tenantIds, originatorOrganizations: [], alignedSignatures },
  })
  const own = { mailFrom: 'a@ours.example', tls }
  const rows: [name: string, facts: MailFacts, result: string][] = [
    [
      'with its tenant id',
      factsOfMessage(mail({ ...own, ...fields([tenantId]) }), elsewhere),
      'Sent DefaultRoute Opportunistic',
    ],
    [
      'with the id of another tenant',
      factsOfMessage(mail({ ...own, ...fields(['0000']) }), elsewhere),
      'Refused RelayDenied id-our server EncryptionOnly',
    ],
    [
      'whose fields were not read',
      factsOfMessage(mail(own), elsewhere),
      'Undetermined: The ingress did not read the fields of Exchange Online that show the tenant.',
    ],
    ['whose fields were not read, to an accepted domain', factsOfMessage(mail(own), mailbox), toMailboxes],
    [
      'of another tenant, to an accepted domain and to another recipient',
      factsOfMessage(mail({ ...own, ...fields(['0000']) }), mailbox, { recipients: 2 }),
      'Undetermined: The message is refused for all recipients if one of the others is outside the accepted domains.',
    ],
    [
      'without fields, whose signatures were not verified',
      factsOfMessage(mail({ ...own, ...fields([]) }), elsewhere),
      'Undetermined: The ingress did not verify the signatures that may show the tenant.',
    ],
    [
      'without fields, with a signature of an accepted domain',
      factsOfMessage(mail({ ...own, ...fields([], ['ours.example']) }), elsewhere),
      'Sent DefaultRoute Opportunistic',
    ],
    [
      'that was refused for its tenant, which the connector lists now',
      factsOfRefusal(mail({ ...own, ...fields([tenantId]) }), elsewhere, {
        stage: 'Data',
        reason: 'RelayDenied',
      }),
      'Sent DefaultRoute Opportunistic',
    ],
  ]
  for (const [title, facts, result] of rows)
    test(title, () => assert.equal(run(facts, connectors({ inbound: [tenant] })), result))
})

describe('a dry run of accepted mail', () => {
  const dmarc = inbound({ requireTls: false, requireDmarc: true })
  const ownServer = organisationServer({ senderIpAddresses: ['192.0.2.1'], requireTls: false })
  const authorities = [contosoCa.ca]
  const ownAuthorities = inbound({
    requireTls: true,
    restrictDomainsToCertificate: true,
    tlsSenderCertificateNames: ['mail.contoso.example'],
  })
  const unknownChain = /^Undetermined: The events do not hold the chain of the client certificate/
  const internal = { ...ownServer, treatMessagesAsInternal: true }
  const rows: [name: string, facts: MailFacts, connectors: Connectors, result: string | RegExp][] = [
    [
      'without a result of DMARC',
      factsOfMessage(mail(), mailbox),
      { inbound: [dmarc] },
      'Undetermined: The message was not authenticated, so the events hold no result of DMARC.',
    ],
    [
      'without a result of DMARC, of a server whose mail is internal',
      factsOfMessage(mail(), mailbox),
      { inbound: [dmarc, internal] },
      toMailboxes,
    ],
    [
      "with another partner's domain in From:, from a server of the organisation, to one recipient elsewhere",
      factsOfMessage(
        mail({ mailFrom: 'a@ours.example', authentication: authenticated('fail', 'contoso.example') }),
        elsewhere,
      ),
      { inbound: [dmarc, ownServer] },
      'Sent DefaultRoute Opportunistic',
    ],
    [
      'as that, and to another recipient, because of which it may have been authenticated',
      factsOfMessage(
        mail({ mailFrom: 'a@ours.example', authentication: authenticated('fail', 'contoso.example') }),
        elsewhere,
        { recipients: 2 },
      ),
      { inbound: [dmarc, ownServer] },
      'Undetermined: A message is also authenticated because of its other recipients.',
    ],
    [
      'with a revocation that was not checked',
      factsOfMessage(mail({ tls: overTlsWith() }), mailbox),
      { inbound: [ownAuthorities] },
      `${toMailboxes} unless revoked`,
    ],
    [
      'with a revocation that was not checked, under HardFail',
      factsOfMessage(mail({ tls: overTlsWith() }), mailbox),
      { inbound: [{ ...ownAuthorities, revocationCheck: 'HardFail' }] },
      'Undetermined: The revocation of the client certificate was not checked in the session.',
    ],
    [
      'with a certificate whose chain is not known, at a connector with its own authorities',
      factsOfMessage(mail({ tls: overTlsWith() }), mailbox),
      { inbound: [{ ...ownAuthorities, certificateAuthorities: authorities }] },
      unknownChain,
    ],
    [
      'as that, whose certificate has another name',
      factsOfMessage(mail({ tls: overTlsWith({ subjectAltNames: ['mx.contoso.example'] }) }), mailbox),
      { inbound: [{ ...ownAuthorities, certificateAuthorities: authorities }] },
      'Refused InboundCertificateRestriction id-contoso DomainValidation',
    ],
    [
      'as that, whose certificate has expired',
      factsOfMessage(mail({ tls: overTlsWith({ notAfter: '2026-01-01T00:00:00.000Z' }) }), mailbox),
      { inbound: [{ ...ownAuthorities, certificateAuthorities: authorities }] },
      'Refused InboundCertificateRestriction id-contoso DomainValidation',
    ],
    [
      'with more names than an event has',
      factsOfMessage(
        mail({
          tls: overTlsWith({
            subjectAltNames: Array.from({ length: 90 }, (_, index) => `host${index}.contoso.example`),
          }),
        }),
        mailbox,
      ),
      { inbound: [ownAuthorities] },
      'Undetermined: The events do not hold all names of the client certificate.',
    ],
    [
      'of an accepted domain that is removed',
      factsOfMessage(mail(), mailbox),
      { acceptedDomains: [] },
      'Refused RelayDenied',
    ],
  ]
  for (const [name, facts, given, result] of rows)
    test(name, () =>
      typeof result === 'string'
        ? assert.equal(run(facts, connectors(given)), result)
        : assert.match(run(facts, connectors(given)), result),
    )

  test('has no result where far too many are possible', () => {
    const many = Array.from({ length: 600 }, (_, index) =>
      inbound({
        name: `Partner ${index}`,
        senderDomains: [`partner${index}.example`],
        requireTls: false,
        requireDmarc: true,
      }),
    )
    const facts = factsOfMessage(mail(), mailbox)
    const snapshot = connectors({ inbound: many })
    assert.equal(run(facts, snapshot), 'Undetermined: The events hold too few facts.')
    assert.equal(compareDryRuns(facts, snapshot, snapshot, settings).kind, 'Undetermined')
  })

  test('which mailflow created is refused by no connector', () => {
    const facts = factsOfMessage(message({ source: null, mailFrom: '', direction: 'Originating' }), elsewhere)
    assert.equal(
      run(facts, connectors({ inbound: [inbound({ senderDomains: ['*'] })] })),
      'Sent DefaultRoute Opportunistic',
    )
  })

  test('has at most so many names that the row above has more', () =>
    assert.ok(90 * 'host10.contoso.example'.length > maxCertificateColumnLength))
})

describe('a dry run of an attempt', () => {
  const tls: AttemptTls = {
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    group: null,
    verified: false,
    notVerified: 'Not required',
    fingerprint256: 'cd'.repeat(32),
    certificate: { names: ['mbx.ours.example'], issuer: 'CN=CA', verdict: 'trusted' },
  }
  const viaMailboxes: AttemptContext = {
    connector: 'id-mailboxes',
    mode: 'Enforce',
    route: 'mbx.ours.example:25',
  }
  const delivered = { outcome: 'Delivered', host: 'mbx.ours.example', tls, tlsResult: 'success' } as const
  const past = (fields: Partial<Attempt> = {}, context: Partial<AttemptContext> = {}) =>
    factsOfMessage(mail(), mailbox, {
      attempt: { attempt: attempt({ ...delivered, ...fields }), context: { ...viaMailboxes, ...context } },
    })
  const verified = { tlsSettings: 'DomainValidation', tlsDomain: 'mbx.ours.example' } as const
  const unlessRevoked = 'Delivered ConnectorMatched id-mailboxes DomainValidation unless revoked'
  const rows: [name: string, facts: MailFacts, mailboxes: Partial<OutboundConnector>, result: string][] = [
    ['to the same smart host', past(), {}, 'Delivered ConnectorMatched id-mailboxes Opportunistic'],
    ['to the same smart host under a requirement', past(), verified, unlessRevoked],
    [
      'to the only smart host of several that is left',
      past({ nextHops: 2 }, { route: 'mbx.ours.example:25 mbx2.ours.example:25' }),
      verified,
      unlessRevoked,
    ],
    [
      'to another port of the smart host',
      past({}, { route: 'mbx.ours.example:2525' }),
      {},
      'Undetermined: The events hold no session with the next hop mbx.ours.example:25.',
    ],
    [
      'to a further smart host',
      past(),
      viaSmartHosts('mbx.ours.example', 'mbx2.ours.example'),
      'Undetermined: The events hold no session with the next hop mbx.ours.example:25 mbx2.ours.example:25.',
    ],
    [
      'through Amazon SES',
      past(),
      { route: 'Ses', smartHosts: [] },
      'Undetermined: The events hold no session with the next hop Ses.',
    ],
    [
      'by MX lookup',
      past(),
      { route: 'Mx', smartHosts: [] },
      'Undetermined: The events hold no session with the next hop that MX lookup finds for ours.example.',
    ],
    [
      'that SES took',
      past({ host: 'Amazon SES', tls: null, tlsResult: null }, { route: 'Ses' }),
      { route: 'Ses', smartHosts: [], tlsSettings: 'EncryptionOnly' },
      'Delivered ConnectorMatched id-mailboxes EncryptionOnly',
    ],
    [
      'to one of several hosts, which does not meet the requirement',
      past({ nextHops: 3 }),
      { ...verified, tlsDomain: 'mx.another.example' },
      'Undetermined: The events hold a session with one of the 3 next hops only, and another may meet the requirement.',
    ],
    [
      'with another client certificate',
      past(),
      { clientCertificate: 'ours' },
      'Undetermined: The events do not hold what the next hop does with another client certificate.',
    ],
    [
      'with the same client certificate',
      past({}, { clientCertificateSecret: 'ours' }),
      { clientCertificate: 'ours' },
      'Delivered ConnectorMatched id-mailboxes Opportunistic',
    ],
    [
      'to a server with more names than an event has',
      past({
        tls: {
          ...tls,
          certificate: {
            issuer: 'CN=CA',
            verdict: 'trusted',
            names: Array.from({ length: 20 }, (_, index) => `mx${index}.ours.example`),
          },
        },
      }),
      verified,
      "Undetermined: The events do not hold all names of the next hop's certificate.",
    ],
    [
      'that found no next hop',
      past({ outcome: 'TemporaryFailure', host: null, tls: null, tlsResult: null }),
      verified,
      'Deferred RetryLater id-mailboxes DomainValidation',
    ],
    [
      'whose TLS did not meet a requirement that is lower now',
      past({
        ...{ outcome: 'TlsNotMet', tls: null, tlsResult: 'starttls-not-supported' },
        ...{ policy: 'EncryptionOnly', policySource: 'Connector' },
      }),
      {},
      'Undetermined: The events do not hold whether mbx.ours.example has TLSA records.',
    ],
    [
      'whose TLS did not meet a requirement that is lower now, to an address, which has no TLSA records',
      past(
        {
          ...{ outcome: 'TlsNotMet', tls: null, tlsResult: 'starttls-not-supported', host: '192.0.2.25' },
          ...{ policy: 'EncryptionOnly', policySource: 'Connector' },
        },
        { route: '192.0.2.25:25', level: 'EncryptionOnly' },
      ),
      viaSmartHosts('192.0.2.25'),
      'Sent ConnectorMatched id-mailboxes Opportunistic',
    ],
    [
      'whose handshake failed under a newer version than is required now',
      past({
        ...{
          outcome: 'TlsNotMet',
          tls: null,
          tlsResult: 'validation-failure',
          requiredTlsVersion: 'TLSv1.3',
        },
        ...{ policy: 'EncryptionOnly', policySource: 'Connector' },
      }),
      { tlsSettings: 'EncryptionOnly' },
      'Undetermined: The events hold no TLS session with the next hop.',
    ],
  ]
  for (const [name, facts, fields, result] of rows)
    test(name, () => {
      const snapshot = compileSnapshot({
        ...{ version: 1, inbound: [], acceptedDomains: [{ domain: 'ours.example' }] },
        outbound: [mailboxes(fields)],
      })
      assert.equal(run(facts, snapshot), result)
    })

  test('of the report that mailflow stores is delivered', () => {
    const tlsReportAddress = 'TLS-reports@ours.example'
    const facts = factsOfMessage(mail(), 'tls-reports@ours.example')
    assert.equal(
      run(facts, connectors(), { ...settings, tlsReportAddress }),
      'Delivered TlsReport Opportunistic',
    )
  })
})

describe('a comparison', () => {
  const facts = factsOfMessage(mail({ tls: overTls }), mailbox)
  const names = { tlsSenderCertificateNames: ['mail.contoso.example'], restrictDomainsToCertificate: true }
  const presented = factsOfMessage(mail({ tls: overTlsWith() }), mailbox)
  const own = inbound({ ...names, certificateAuthorities: [contosoCa.ca] })

  test('has both results of mail that changes', () => {
    const compared = compareDryRuns(facts, connectors(), connectors({ inbound: [inbound(names)] }), settings)
    assert.ok(compared.kind === 'Different')
    assert.deepEqual(
      [textOf(compared.before), textOf(compared.after)],
      [toMailboxes, 'Refused InboundCertificateRestriction id-contoso DomainValidation'],
    )
  })

  test('finds no difference where neither result is determined and both depend on the same fact', () => {
    const other = { ...own, comment: 'another comment' }
    const compared = compareDryRuns(
      presented,
      connectors({ inbound: [own] }),
      connectors({ inbound: [other] }),
      settings,
    )
    assert.ok(compared.kind === 'Same' && compared.result.outcome === 'Undetermined')
  })

  test('names the missing fact where it decides whether there is a difference', () => {
    const compared = compareDryRuns(presented, connectors(), connectors({ inbound: [own] }), settings)
    assert.ok(compared.kind === 'Undetermined')
    assert.match(compared.missing, /^The events do not hold the chain of the client certificate/)
  })

  test('finds a difference unless the certificate was revoked', () => {
    const deferred = inbound({ ...names, onViolation: 'Defer' })
    const restricted = inbound({ ...names, minimumTlsVersion: 'TLSv1.3' })
    const old = factsOfMessage(mail({ tls: { ...overTlsWith(), protocol: 'TLSv1.2' } }), mailbox)
    const compared = compareDryRuns(
      old,
      connectors({ inbound: [deferred] }),
      connectors({ inbound: [restricted] }),
      settings,
    )
    assert.equal(compared.kind, 'Different')
  })

  test('finds a difference where the mail is refused, and the result of the attempt is not determined', () => {
    const sent = factsOfMessage(mail(), mailbox, {
      attempt: {
        attempt: attempt({ outcome: 'Delivered', host: 'old.ours.example' }),
        context: { connector: 'id-mailboxes', mode: 'Enforce', route: 'old.ours.example:25' },
      },
    })
    const compared = compareDryRuns(sent, connectors(), connectors({ inbound: [forced] }), settings)
    assert.ok(compared.kind === 'Different')
    assert.deepEqual([compared.before.outcome, compared.after.outcome], ['Undetermined', 'Refused'])
    const same = compareDryRuns(
      sent,
      connectors(),
      connectors({ inbound: [inbound({ requireTls: false })] }),
      settings,
    )
    assert.equal(same.kind, 'Same')
  })
})
