/** Properties that hold for any connectors and any message. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { InboundConnector, OutboundConnector } from '../../../shared/connectors/schema.ts'
import { type ClientCertificate, noTls, type TlsFacts } from '../../../shared/contract/message.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { admitRecipient } from '../../../shared/policy/admit-recipient.ts'
import { evaluate, inboundByRecipient } from '../../../shared/policy/evaluate.ts'
import { explain, type HypotheticalMessage } from '../../../shared/policy/explain/explain.ts'
import { evaluateInbound, type Session } from '../../../shared/policy/inbound.ts'
import { requirementOf, selectOutbound } from '../../../shared/policy/outbound.ts'
import { compileSnapshot, type Snapshot } from '../../../shared/policy/snapshot.ts'
import { revocationUndeterminedReply } from '../../../shared/policy/violation.ts'
import { chainFault } from '../../../shared/tls/chain.ts'
import { mailPurposes } from '../../../shared/tls/purpose.ts'
import { message, outbound, recipient } from '../../support/fixtures.ts'
import {
  anyCertificate,
  anyConnectors,
  anyInbound,
  anyIp,
  anyOutbound,
  anyRecipientDomain,
  anySender,
  anyTls,
  type Connectors,
} from '../../support/policy/arbitrary.ts'
import { referenceAttribution, referenceOutbound, referencePartner } from '../../support/policy/reference.ts'
import { failedAttempt, noStartTls, receivedAt } from './cases/notation.ts'

const runs = { numRuns: 500 }
const settings = { defaultRoute: 'Mx' } as const

const compile = ({ acceptedDomains, ...connectors }: Connectors): Snapshot =>
  compileSnapshot({
    ...connectors,
    version: 1,
    acceptedDomains: acceptedDomains.map((domain) => ({ domain })),
  })

const anyQuestion: fc.Arbitrary<HypotheticalMessage> = fc
  .record({
    from: anySender,
    ip: anyIp,
    tls: anyTls,
    to: fc.uniqueArray(anyRecipientDomain, { minLength: 1 }),
  })
  .map(({ from, ip, tls, to }) => ({
    mailFrom: from.mailFrom,
    ip,
    tls,
    rcptTo: to.map((domain) => `b@${domain}`),
  }))

const messageFor = ({ mailFrom, ip, tls }: HypotheticalMessage) =>
  message({ receivedAt: receivedAt.toISOString(), mailFrom, tls, source: { ip, port: 0, helo: '' } })

const idOf = (connector: { id: string } | null) => connector?.id ?? null

/** Whether the chain leads to the connector's own authorities if it has any, otherwise to the public roots. */
const trusts = ({ certificateAuthorities }: InboundConnector, certificate: ClientCertificate): boolean =>
  certificateAuthorities.length > 0
    ? chainFault(mailPurposes, certificate.chain, certificateAuthorities, receivedAt) === null
    : certificate.trusted

describe('the selected connector is that of a plain reference implementation', () => {
  test('for any partner, enforced and report-only', () =>
    fc.assert(
      fc.property(
        anyConnectors,
        anySender,
        anyRecipientDomain,
        anyIp,
        anyTls,
        (connectors, { mailFrom, sender }, recipientDomain, ip, tls) => {
          const session = { mailFrom, ip, tls, at: receivedAt }
          const { partner, reportOnlyPartner } = evaluateInbound(
            compile(connectors),
            session,
            recipientDomain,
          )
          const enforced = referencePartner(connectors.inbound, 'Enforce', sender, recipientDomain)
          const reportOnly = referencePartner(connectors.inbound, 'ReportOnly', sender, recipientDomain)
          assert.equal(idOf(partner), idOf(enforced ?? reportOnly))
          assert.equal(idOf(reportOnlyPartner), idOf(reportOnly))
        },
      ),
      runs,
    ))

  test('for any server of the organisation, by certificate or address', () => {
    const attributionCounts = { byCertificate: 0, byAddress: 0, none: 0 }
    const anyOnPremises = fc.uniqueArray(
      anyInbound.filter(({ connectorType }) => connectorType === 'OnPremises'),
      { selector: ({ name }) => name.toLowerCase(), maxLength: 8 },
    )
    fc.assert(
      fc.property(
        anyOnPremises,
        anySender,
        anyRecipientDomain,
        anyIp,
        anyTls,
        (inbound, { mailFrom, sender }, recipientDomain, ip, tls) => {
          const session: Session = { mailFrom, ip, tls, at: receivedAt }
          const { attributedTo } = evaluateInbound(
            compile({ inbound, outbound: [], acceptedDomains: [] }),
            session,
            recipientDomain,
          )
          const peer = { sender, recipientDomain, ip, certificate: tls.clientCertificate, at: receivedAt }
          const expected = referenceAttribution(inbound, peer, trusts)
          assert.equal(idOf(attributedTo), idOf(expected))
          const without = referenceAttribution(inbound, { ...peer, certificate: null }, trusts)
          if (expected === null) attributionCounts.none += 1
          else if (idOf(without) === idOf(expected)) attributionCounts.byAddress += 1
          else attributionCounts.byCertificate += 1
        },
      ),
      { numRuns: 1000 },
    )
    for (const [way, count] of Object.entries(attributionCounts)) assert.ok(count > 20, `${way}: ${count}`)
  })

  test('for any recipient, in an accepted or another domain', () =>
    fc.assert(
      fc.property(anyConnectors, anyRecipientDomain, (connectors, domain) => {
        const expected = referenceOutbound(
          connectors.outbound,
          domain,
          connectors.acceptedDomains.includes(domain),
        )
        assert.equal(idOf(selectOutbound(compile(connectors), domain)), idOf(expected))
      }),
      runs,
    ))
})

describe('an explanation', () => {
  test('is the same for a repeated call and for any order of the connectors', () => {
    const shuffled = anyConnectors.chain((connectors) =>
      fc.record({
        connectors: fc.constant(connectors),
        other: fc.record({
          inbound: fc.shuffledSubarray(connectors.inbound, { minLength: connectors.inbound.length }),
          outbound: fc.shuffledSubarray(connectors.outbound, { minLength: connectors.outbound.length }),
          acceptedDomains: fc.constant(connectors.acceptedDomains.toReversed()),
        }),
      }),
    )
    fc.assert(
      fc.property(shuffled, anyQuestion, ({ connectors, other }, question) => {
        const answer = explain(compile(connectors), settings, question, receivedAt)
        assert.deepEqual(explain(compile(connectors), settings, question, receivedAt), answer)
        assert.deepEqual(explain(compile(other), settings, question, receivedAt), answer)
      }),
      runs,
    )
  })

  test('does not change with additional connectors for other domains', () => {
    const fromOthers = anyInbound.map((it) => ({
      ...it,
      senderDomains: ['others.invalid', '*.others.invalid'],
    }))
    const toOthers = anyOutbound.map((it) => ({
      ...it,
      recipientDomains: ['others.invalid', '*.others.invalid'],
      allAcceptedDomains: false,
    }))
    fc.assert(
      fc.property(anyConnectors, fromOthers, toOthers, anyQuestion, (connectors, one, other, question) => {
        // With the null reverse path every OnPremises connector is considered, whatever its sender domains.
        fc.pre(question.mailFrom !== '' || one.connectorType === 'Partner')
        const withOthers = withMore(connectors, one, other)
        assert.deepEqual(
          explain(compile(withOthers), settings, question, receivedAt),
          explain(compile(connectors), settings, question, receivedAt),
        )
      }),
      runs,
    )
  })

  test('has the same decisions with additional disabled connectors', () =>
    fc.assert(
      fc.property(anyConnectors, anyInbound, anyOutbound, anyQuestion, (connectors, one, other, question) => {
        const withDisabled = withMore(connectors, { ...one, enabled: false }, { ...other, enabled: false })
        const [before, after] = [connectors, withDisabled].map((it) =>
          explain(compile(it), settings, question, receivedAt),
        )
        const decisionsWith = (it = before) =>
          it?.recipients.map(({ verdict, inSession }) => ({ verdict, inSession }))
        assert.deepEqual(decisionsWith(after), decisionsWith(before))
      }),
      runs,
    ))
})

function withMore(connectors: Connectors, one: InboundConnector, other: OutboundConnector): Connectors {
  return {
    ...connectors,
    inbound: [...connectors.inbound, { ...one, id: 'one more', name: 'One more' }],
    outbound: [...connectors.outbound, { ...other, id: 'another', name: 'Another' }],
  }
}

describe('a connector for the exact domain is selected', () => {
  test('for a sender, whatever other connectors exist', () =>
    fc.assert(
      fc.property(anyConnectors, anyInbound, anyQuestion, (connectors, given, question) => {
        const domain = question.mailFrom.split('@')[1]?.toLowerCase().replace(/\.$/, '') ?? ''
        fc.pre(domain !== '' && !domain.startsWith('['))
        const inbound = connectors.inbound.filter(({ senderDomains }) => !senderDomains.includes(domain))
        const partner = { ...given, connectorType: 'Partner', mode: 'Enforce', enabled: true } as const
        const exact = { ...partner, senderDomains: [domain], associatedAcceptedDomains: [], id: 'exact' }
        const rules = compile({ ...connectors, inbound: [...inbound, exact] })
        assert.equal(inboundByRecipient(rules, messageFor(question))('').partner?.id, 'exact')
      }),
      runs,
    ))

  test('for a recipient, whatever other connectors exist', () =>
    fc.assert(
      fc.property(anyConnectors, anyOutbound, anyRecipientDomain, (connectors, given, domain) => {
        const outbound = connectors.outbound.filter(
          ({ recipientDomains }) => !recipientDomains.includes(domain),
        )
        const inForce = { ...given, mode: 'Enforce', enabled: true } as const
        const exact = { ...inForce, recipientDomains: [domain], id: 'exact' }
        const rules = compile({ ...connectors, outbound: [...outbound, exact] })
        assert.equal(selectOutbound(rules, domain)?.id, 'exact')
      }),
      runs,
    ))
})

describe('forced TLS cannot be circumvented', () => {
  /** Removes facts of a session, or weakens its certificate. */
  const less: fc.Arbitrary<(facts: TlsFacts) => TlsFacts> = fc
    .subarray(
      [
        () => noTls,
        (facts: TlsFacts) => ({ ...facts, negotiated: false }),
        (facts: TlsFacts) => ({ ...facts, protocol: null }),
        (facts: TlsFacts) => ({ ...facts, protocol: 'TLSv1.2' }),
        (facts: TlsFacts) => ({ ...facts, clientCertificate: null }),
        changed(() => ({ trusted: false })),
        changed(() => ({ chain: [] })),
        changed(({ chain }) => ({ chain: chain.slice(0, 1) })),
        changed(() => ({ clientAuth: false })),
        changed(() => ({ subjectAltNames: [], commonName: null })),
        changed(() => ({ fingerprint256: '00'.repeat(32) })),
        changed(() => ({ notAfter: '2000-01-01T00:00:00.000Z' })),
      ],
      { minLength: 1, maxLength: 4 },
    )
    .map((steps) => (facts) => steps.reduce((known, step) => step(known), facts))

  test("mail that violates a partner's connector is not accepted when facts of its session are missing", () => {
    let violations = 0
    fc.assert(
      fc.property(anyConnectors, anyQuestion, less, (connectors, question, reduce) => {
        const rules = compile(connectors)
        const inboundFor = inboundByRecipient(rules, messageFor(question))
        const isViolated = (address: string) =>
          inboundFor(address).violation?.connector.connectorType === 'Partner'
        fc.pre(question.rcptTo.some(isViolated))
        violations += 1
        const reduced = { ...question, tls: reduce(question.tls) }
        const { recipients } = explain(rules, settings, reduced, receivedAt)
        for (const { address, verdict, inSession } of recipients.filter((it) => isViolated(it.address))) {
          const violation = inboundFor(address).violation ?? assert.fail('no violation')
          assert.notEqual(verdict.action, 'Deliver')
          if (violation.connector.onViolation !== 'Bounce') continue
          // If the revocation is undetermined, the recipient is refused temporarily instead.
          assert.ok(
            inSession.code >= 500 || inSession === revocationUndeterminedReply,
            formatReply(inSession),
          )
        }
      }),
      runs,
    )
    assert.ok(violations >= 500)
  })

  test('a session whose certificate grants no relay is granted none when facts of the session are missing', () =>
    fc.assert(
      fc.property(anyConnectors, anyQuestion, less, (connectors, question, reduce) => {
        const inbound = connectors.inbound.map((it) => ({
          ...it,
          senderIpAddresses: it.connectorType === 'OnPremises' ? [] : it.senderIpAddresses,
        }))
        const rules = compile({ ...connectors, inbound })
        fc.pre(inboundByRecipient(rules, messageFor(question))('').attributedTo === null)
        const reduced = { ...question, tls: reduce(question.tls) }
        assert.equal(inboundByRecipient(rules, messageFor(reduced))('').attributedTo, null)
      }),
      runs,
    ))

  test('the presented certificate does not change which Partner connector is selected', () =>
    fc.assert(
      fc.property(anyConnectors, anyQuestion, anyCertificate, (connectors, question, clientCertificate) => {
        const rules = compile(connectors)
        const before = inboundByRecipient(rules, messageFor(question))('').partner
        const tls = { ...question.tls, clientCertificate }
        assert.equal(inboundByRecipient(rules, messageFor({ ...question, tls }))('').partner?.id, before?.id)
      }),
      runs,
    ))

  test("after an attempt that did not meet forced TLS, any further attempt has the connector's whole requirement", () =>
    fc.assert(
      fc.property(
        anyConnectors,
        anyQuestion,
        fc.integer({ min: 0, max: 25 * 60 }),
        fc.integer({ min: 1, max: 100 }),
        fc.boolean(),
        (connectors, question, minutes, attempt, retry) => {
          const rules = compile(connectors)
          const now = new Date(receivedAt.getTime() + minutes * 60_000)
          const lastAttempt = failedAttempt(Math.max(0, minutes - 10), attempt, noStartTls)
          for (const address of question.rcptTo) {
            const selected = selectOutbound(rules, address.slice(2))
            if (selected === null || selected.tlsSettings === null) continue
            const recipients = [recipient({ address, lastAttempt })]
            const [verdict] = evaluate({
              snapshot: rules,
              settings,
              message: messageFor(question),
              recipients,
              now,
              retry,
            })
            if (verdict?.action !== 'Deliver') continue
            assert.deepEqual(verdict.tls, requirementOf(selected))
            assert.notEqual(verdict.tls.level, 'Opportunistic')
            assert.equal(verdict.tls.mode, selected.mode)
          }
        },
      ),
      runs,
    ))

  test('an additional report-only partner connector changes no reply and no verdict', () =>
    fc.assert(
      fc.property(anyConnectors, anyInbound, anyQuestion, (connectors, given, question) => {
        const reportOnlyConnector = { ...given, connectorType: 'Partner', mode: 'ReportOnly' } as const
        const withReportOnly = withMore(connectors, reportOnlyConnector, disabledOutbound)
        const decisionsWith = (it: Connectors) =>
          explain(compile(it), settings, question, receivedAt).recipients.map(({ verdict, inSession }) => {
            const { reportOnly: _reported, connectors: _named, ...rest } = verdict
            return { inSession, ...rest }
          })
        assert.deepEqual(decisionsWith(withReportOnly), decisionsWith(connectors))
      }),
      runs,
    ))

  test('additional report-only connectors change neither violations nor selection of enforced connectors', () =>
    fc.assert(
      fc.property(anyConnectors, anyInbound, anyOutbound, anyQuestion, (connectors, one, other, question) => {
        const withReportOnly = withMore(
          connectors,
          { ...one, mode: 'ReportOnly' },
          { ...other, mode: 'ReportOnly' },
        )
        const [before, after] = [connectors, withReportOnly].map((it) =>
          inboundByRecipient(compile(it), messageFor(question))(''),
        )
        if (before?.attributedTo?.mode === 'Enforce')
          assert.equal(after?.attributedTo?.id, before.attributedTo.id)
        if (before?.violation) assert.deepEqual(after?.violation, before.violation)
        for (const address of question.rcptTo) {
          const selected = selectOutbound(compile(connectors), address.slice(2))
          if (selected?.mode === 'Enforce')
            assert.equal(selectOutbound(compile(withReportOnly), address.slice(2))?.id, selected.id)
        }
      }),
      runs,
    ))
})

const disabledOutbound = outbound({ enabled: false })

function changed(change: (certificate: ClientCertificate) => Partial<ClientCertificate>) {
  return (facts: TlsFacts): TlsFacts => ({
    ...facts,
    clientCertificate: facts.clientCertificate && {
      ...facts.clientCertificate,
      ...change(facts.clientCertificate),
    },
  })
}

test('an explanation never contradicts the verdict or the reply in session', () =>
  fc.assert(
    fc.property(anyConnectors, anyQuestion, (connectors, question) => {
      const rules = compile(connectors)
      const given = messageFor(question)
      const verdicts = evaluate({
        snapshot: rules,
        settings,
        message: given,
        recipients: question.rcptTo.map((address) => recipient({ address })),
        now: receivedAt,
      })
      const explained = explain(rules, settings, question, receivedAt)
      const inboundFor = inboundByRecipient(rules, given)
      for (const [index, { address, inSession, verdict, considered }] of explained.recipients.entries()) {
        assert.deepEqual(verdict, verdicts[index])
        const decision = admitRecipient(rules, inboundFor(address), address)
        assert.equal(decision.action === 'Accept', inSession.code === 250)
        if (decision.action === 'Accept') assert.notEqual(verdict.action, 'Bounce')
        else {
          assert.equal(formatReply(inSession), formatReply(decision.reply))
          assert.notEqual(verdict.action, 'Deliver')
        }
        const connectorsWith = (all: typeof considered, ...outcomes: string[]) =>
          all.filter(({ outcome }) => outcomes.includes(outcome)).map(({ connector }) => connector)
        const inbound = considered.filter(({ direction }) => direction === 'Inbound')
        const outbound = considered.filter(({ direction }) => direction === 'Outbound')
        assert.deepEqual(
          connectorsWith(outbound, 'Decides', 'Reports'),
          [verdict.connectors.outbound].filter((id) => id !== null),
        )
        const takePart = connectorsWith(
          inbound.length > 0 ? inbound : explained.considered,
          'Decides',
          'Reports',
          'Grants',
        )
        if (verdict.connectors.inbound === null) assert.deepEqual(takePart, [])
        else assert.ok(takePart.includes(verdict.connectors.inbound))
        assert.ok(takePart.length <= 3, "a partner, a report-only partner, and the organisation's server")
      }
    }),
    runs,
  ))

test('random inbound connectors of these tests are of every kind', () => {
  const [sample] = fc.sample(fc.array(anyInbound, { minLength: 300, maxLength: 300 }), 1)
  const kinds = {
    Partner: (it: InboundConnector) => it.connectorType === 'Partner',
    OnPremises: (it: InboundConnector) => it.connectorType === 'OnPremises',
    'by certificate': (it: InboundConnector) => it.restrictDomainsToCertificate,
    'by address': (it: InboundConnector) => it.restrictDomainsToIpAddresses,
    TLSv13: (it: InboundConnector) => it.minimumTlsVersion === 'TLSv1.3',
    disabled: (it: InboundConnector) => !it.enabled,
    'report only': (it: InboundConnector) => it.mode === 'ReportOnly',
  }
  for (const [kind, isOfKind] of Object.entries(kinds))
    assert.ok((sample?.filter(isOfKind).length ?? 0) > 5, kind)
})
