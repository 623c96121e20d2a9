import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Message, Recipient } from '../../../shared/contract/message.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { evaluate, type Verdict } from '../../../shared/policy/evaluate.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import {
  attempt,
  inbound,
  message,
  minutesLater,
  outbound,
  overTls,
  receivedAt,
  recipient,
  snapshot,
} from '../../support/fixtures.ts'

interface Row {
  name: string
  connectors: Snapshot
  message?: Message
  recipient?: Recipient
  now?: Date
  defaultRoute?: 'Mx' | 'Ses'
  expected: string
}

const office = inbound({
  name: 'Office',
  connectorType: 'OnPremises',
  senderDomains: ['*'],
  senderIpAddresses: ['192.0.2.1'],
})
const mailbox = outbound({
  name: 'Mailbox',
  connectorType: 'OnPremises',
  recipientDomains: [],
  allAcceptedDomains: true,
  route: 'SmartHosts',
  smartHosts: [{ host: 'mbx.ours.example', port: 25 }],
})
const forced = outbound({ tlsSettings: 'EncryptionOnly' })
const forcedOrBounce = outbound({ tlsSettings: 'EncryptionOnly', onTlsFailure: 'Bounce' })

const originating = message({ tls: overTls, mailFrom: 'a@ours.example' })
const abroad = (fields: Partial<Recipient> = {}) => recipient({ address: 'b@northwind.example', ...fields })
const from = (...inboundConnectors: ReturnType<typeof inbound>[]) =>
  snapshot({ inbound: inboundConnectors, outbound: [mailbox] })
const towards = (...outboundConnectors: ReturnType<typeof outbound>[]) =>
  snapshot({ inbound: [office], outbound: outboundConnectors })

const noStartTls = attempt({
  outcome: 'TlsNotMet',
  policy: 'EncryptionOnly',
  reply: { code: 451, enhanced: '4.7.321', text: 'STARTTLS not offered' },
})

const rows: Row[] = [
  {
    name: 'mail for our mailbox',
    connectors: from(),
    expected: 'Deliver ConnectorMatched SmartHosts Opportunistic #1',
  },
  {
    name: 'an accepted domain without a connector is held',
    connectors: snapshot({}),
    expected: 'Defer NoRouteForAcceptedDomain 451 4.4.317 until +15:00',
  },
  {
    name: 'and given up at expiry',
    connectors: snapshot({}),
    now: minutesLater(24 * 60),
    expected: 'Bounce NoRouteForAcceptedDomain 451 4.4.7',
  },
  {
    name: 'a foreign recipient of a stranger',
    connectors: from(),
    recipient: abroad(),
    expected: 'Bounce RelayDenied 550 5.7.64',
  },
  {
    name: 'a foreign recipient of our own, no connector',
    connectors: towards(),
    message: originating,
    recipient: abroad(),
    expected: 'Deliver DefaultRoute Mx Opportunistic #1',
  },
  {
    name: 'the same where the default is SES',
    connectors: towards(),
    message: originating,
    recipient: abroad(),
    defaultRoute: 'Ses',
    expected: 'Deliver DefaultRoute Ses Opportunistic #1',
  },
  {
    name: 'a DSN of ours may go abroad',
    connectors: snapshot({}),
    message: message({ source: null, mailFrom: '' }),
    recipient: abroad(),
    expected: 'Deliver DefaultRoute Mx Opportunistic #1',
  },
  {
    name: 'forced TLS',
    connectors: towards(forced),
    message: originating,
    recipient: abroad(),
    expected: 'Deliver ConnectorMatched Mx EncryptionOnly #1',
  },
  {
    name: 'exact before wildcard before everyone',
    connectors: towards(
      outbound({ name: 'Everyone', recipientDomains: ['*'] }),
      outbound({ name: 'Wild', recipientDomains: ['*.northwind.example'] }),
      forced,
    ),
    message: originating,
    recipient: abroad(),
    expected: 'Deliver ConnectorMatched Mx EncryptionOnly #1',
  },
  {
    name: 'the longest wildcard',
    connectors: towards(
      outbound({ name: 'A', recipientDomains: ['*.example'] }),
      outbound({
        name: 'B',
        recipientDomains: ['*.northwind.example'],
        tlsSettings: 'CertificateValidation',
      }),
    ),
    message: originating,
    recipient: recipient({ address: 'b@x.northwind.example' }),
    expected: 'Deliver ConnectorMatched Mx CertificateValidation #1',
  },
  {
    name: 'a second connector for the same domain undoes nothing, whatever its name',
    connectors: towards(outbound({ name: 'A weak one' }), forced),
    message: originating,
    recipient: abroad(),
    expected: 'Deliver ConnectorMatched Mx EncryptionOnly #1',
  },
  {
    name: 'a domain without a mail server',
    connectors: towards(),
    message: originating,
    recipient: abroad({
      lastAttempt: attempt({
        outcome: 'PermanentFailure',
        host: null,
        reply: { code: 556, enhanced: '5.1.10', text: 'accepts no mail' },
      }),
    }),
    expected: 'Bounce NoNextHop 556 5.1.10',
  },
  {
    name: 'a trial takes nothing from the connector in force',
    connectors: towards(
      outbound({ name: 'A trial', mode: 'ReportOnly', tlsSettings: 'CertificateValidation' }),
      outbound({
        name: 'In force',
        recipientDomains: ['*.northwind.example'],
        tlsSettings: 'EncryptionOnly',
      }),
    ),
    message: originating,
    recipient: abroad(),
    expected: 'Deliver ConnectorMatched Mx EncryptionOnly #1',
  },
  {
    name: 'a sender whose domain is none',
    connectors: from(),
    message: message({ mailFrom: 'a@-x.contoso.example' }),
    expected: 'Bounce UnreadableSender 553 5.1.7',
  },
  {
    name: '`*` by MX does not take our own domain',
    connectors: snapshot({ outbound: [outbound({ recipientDomains: ['*'] })] }),
    expected: 'Defer NoRouteForAcceptedDomain 451 4.4.317 until +15:00',
  },
  {
    name: "the partner's mail came in the clear",
    connectors: from(inbound()),
    message: message({ mailFrom: 'a@contoso.example' }),
    expected: 'Bounce InboundTlsRequired 550 5.7.10',
  },
  {
    name: 'the same, held',
    connectors: from(inbound({ onViolation: 'Defer' })),
    message: message({ mailFrom: 'a@contoso.example' }),
    expected: 'Defer InboundTlsRequired 451 4.7.10 until +15:00',
  },
  {
    name: 'held until it expires',
    connectors: from(inbound({ onViolation: 'Defer' })),
    message: message({ mailFrom: 'a@contoso.example' }),
    now: minutesLater(24 * 60),
    expected: 'Bounce InboundTlsRequired 550 5.7.10',
  },
  {
    name: 'the same, only reported',
    connectors: from(inbound({ mode: 'ReportOnly' })),
    message: message({ mailFrom: 'a@contoso.example' }),
    expected: 'Deliver ConnectorMatched SmartHosts Opportunistic #1 would refuse: InboundTlsRequired',
  },
  {
    name: 'a failed attempt waits a minute',
    connectors: towards(),
    message: originating,
    recipient: abroad({ lastAttempt: attempt() }),
    now: minutesLater(0.1),
    expected: 'Defer RetryLater 451 4.3.0 until +0:59',
  },
  {
    name: 'and is made again',
    connectors: towards(),
    message: originating,
    recipient: abroad({ lastAttempt: attempt() }),
    now: minutesLater(1.1),
    expected: 'Deliver DefaultRoute Mx Opportunistic #2',
  },
  {
    name: 'a refusal for good',
    connectors: towards(),
    message: originating,
    recipient: abroad({
      lastAttempt: attempt({
        outcome: 'PermanentFailure',
        reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
      }),
    }),
    expected: 'Bounce RefusedByNextHop 550 5.1.1',
  },
  {
    name: 'forced TLS not met waits',
    connectors: towards(forced),
    message: originating,
    recipient: abroad({ lastAttempt: noStartTls }),
    now: minutesLater(0.1),
    expected: 'Defer OutboundTlsNotMet 451 4.7.321 until +0:59',
  },
  {
    name: 'forced TLS not met, Bounce wanted',
    connectors: towards(forcedOrBounce),
    message: originating,
    recipient: abroad({ lastAttempt: noStartTls }),
    now: minutesLater(0.1),
    expected: 'Bounce OutboundTlsNotMet 550 5.7.321',
  },
  {
    name: 'forced TLS not met until expiry',
    connectors: towards(forced),
    message: originating,
    recipient: abroad({ attempts: 97, lastAttempt: noStartTls }),
    now: minutesLater(24 * 60),
    expected: 'Bounce OutboundTlsNotMet 550 5.7.321',
  },
  {
    name: 'unreachable until expiry',
    connectors: towards(),
    message: originating,
    recipient: abroad({ attempts: 97, lastAttempt: attempt() }),
    now: minutesLater(24 * 60),
    expected: 'Bounce Expired 451 4.4.7',
  },
  {
    name: "the connector's own expiry",
    connectors: towards(outbound({ expirationHours: 12 })),
    message: originating,
    recipient: abroad({ attempts: 50, lastAttempt: attempt() }),
    now: minutesLater(12 * 60),
    expected: 'Bounce Expired 451 4.4.7',
  },
  {
    name: 'after four hours the sender is told',
    connectors: towards(forced),
    message: originating,
    recipient: abroad({
      attempts: 17,
      lastAttempt: { ...noStartTls, at: minutesLater(239.9).toISOString() },
    }),
    now: minutesLater(240),
    expected: 'Defer OutboundTlsNotMet 451 4.7.321 until +254:14, tell the sender',
  },
]

describe('a recipient', () => {
  for (const { name, connectors, expected, ...given } of rows) {
    test(name, () => {
      const { defaultRoute = 'Mx', now = receivedAt } = given
      const verdicts = evaluate(
        connectors,
        { defaultRoute },
        given.message ?? message(),
        [given.recipient ?? recipient()],
        now,
      )
      assert.deepEqual(verdicts.map(summary), [expected])
    })
  }
})

function summary(verdict: Verdict): string {
  const { action, reason, reportOnly } = verdict
  const rest = {
    Deliver: (v: Verdict) => (v.action === 'Deliver' ? ` ${v.route.kind} ${v.tls.level} #${v.attempt}` : ''),
    Defer: (v: Verdict) =>
      v.action === 'Defer'
        ? ` ${v.reply.code} ${v.reply.enhanced} until +${clock(v.until)}${v.notifyDelay ? ', tell the sender' : ''}`
        : '',
    Bounce: (v: Verdict) => (v.action === 'Bounce' ? ` ${v.reply.code} ${v.reply.enhanced}` : ''),
  }[action](verdict)
  return `${action} ${reason}${rest}${reportOnly ? ` would refuse: ${reportOnly}` : ''}`
}

function clock(until: Date): string {
  const seconds = Math.floor((until.getTime() - receivedAt.getTime()) / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

test('every reply has the class of its code', () => {
  for (const row of rows) {
    for (const verdict of evaluate(
      row.connectors,
      { defaultRoute: 'Mx' },
      row.message ?? message(),
      [row.recipient ?? recipient()],
      row.now ?? receivedAt,
    )) {
      if (verdict.action !== 'Deliver') assert.match(formatReply(verdict.reply), /^([45])\d\d \1\.\d+\.\d+ /)
    }
  }
})

test('a message that never gets through is tried at 0, 1 and 5 minutes, then every 15, and bounces at 24 hours', () => {
  const connectors = towards(forced)
  const starts: number[] = []
  let now = receivedAt
  let current = abroad()
  for (;;) {
    const [verdict] = evaluate(connectors, { defaultRoute: 'Mx' }, originating, [current], now)
    assert.ok(verdict)
    if (verdict.action === 'Bounce') break
    if (verdict.action === 'Defer') {
      assert.ok(
        verdict.until.getTime() - now.getTime() <= 15 * 60_000,
        'no deferral outlasts what a queue can delay',
      )
      now = verdict.until
      continue
    }
    starts.push((now.getTime() - receivedAt.getTime()) / 60_000)
    current = {
      ...current,
      attempts: verdict.attempt,
      lastAttempt: { ...noStartTls, number: verdict.attempt, at: now.toISOString(), durationMs: 0 },
    }
  }
  assert.equal((now.getTime() - receivedAt.getTime()) / 3_600_000, 24)
  const gaps = starts.slice(1).map((start, index) => start - (starts[index] ?? 0))
  const expected = [1, 4, ...gaps.slice(2).map(() => 15)]
  gaps.forEach((gap, index) => {
    const wanted = expected[index] ?? 0
    assert.ok(
      gap <= wanted && gap >= 0.9 * wanted,
      `gap ${index} is ${gap} minutes, not ${wanted} less a tenth`,
    )
  })
  assert.ok(starts.length >= 96 && starts.length <= 110, `${starts.length} attempts`)
})

test('the same input always gives the same verdict, and an unrelated connector changes nothing', () => {
  const domain = fc.constantFrom(
    'northwind.example',
    'x.northwind.example',
    'ours.example',
    'foreign.example',
  )
  fc.assert(
    fc.property(domain, fc.boolean(), fc.nat(1500), (to, negotiated, minutes) => {
      const given = message({ mailFrom: 'a@contoso.example', tls: negotiated ? overTls : message().tls })
      const rcpt = recipient({ address: `b@${to}` })
      const connectors = { inbound: [inbound(), office], outbound: [forced, mailbox] }
      const unrelated = {
        inbound: [
          ...connectors.inbound,
          inbound({ name: 'Unrelated', senderDomains: ['unrelated.example'], onViolation: 'Defer' }),
        ],
        outbound: [
          outbound({ name: 'Unrelated', recipientDomains: ['unrelated.example'], onTlsFailure: 'Bounce' }),
          ...connectors.outbound,
        ],
      }
      const verdict = () =>
        evaluate(snapshot(connectors), { defaultRoute: 'Mx' }, given, [rcpt], minutesLater(minutes))
      assert.deepEqual(verdict(), verdict())
      assert.deepEqual(
        evaluate(snapshot(unrelated), { defaultRoute: 'Mx' }, given, [rcpt], minutesLater(minutes)),
        verdict(),
      )
    }),
  )
})
