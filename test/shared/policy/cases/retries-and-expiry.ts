import {
  afterSession,
  type Case,
  type Chapter,
  failedAttempt,
  noStartTls,
  organisationServer,
  outboundTo,
  temporaryFailure,
  tls13,
} from './notation.ts'

const office = organisationServer({ name: 'Office', senderIpAddresses: ['192.0.2.1'] })
const day = 24 * 60
const forced = outboundTo('northwind.example', { tlsSettings: 'EncryptionOnly' })
const forcedOrBounce = outboundTo('northwind.example', {
  tlsSettings: 'EncryptionOnly',
  onTlsFailure: 'Bounce',
})
const checked = outboundTo('northwind.example', { tlsSettings: 'CertificateValidation' })

const sending = { from: 'ann@ours.example', tls: tls13, to: 'b@northwind.example' }
const plain = { ...sending, connectors: [office], inbound: { Office: 'Grants' } } as const
const withConnector = (connector: ReturnType<typeof outboundTo>) =>
  ({
    ...sending,
    connectors: [office, connector],
    inbound: { Office: 'Grants' },
    outbound: { 'To northwind.example': 'Decides' },
  }) as const
const byDefault = (attempt: number) =>
  `Deliver DefaultRoute by MX of northwind.example with opportunistic TLS, attempt ${attempt}`
const bySelf = (level: string, attempt: number) =>
  `Deliver ConnectorMatched by MX of northwind.example with ${level}, attempt ${attempt}`
const wait = (until: string) => afterSession(`Defer RetryLater until +${until}: 451 4.3.0 Try again later`)
const waitForTls = (until: string) =>
  afterSession(`Defer OutboundTlsNotMet until +${until}: 451 4.7.321 STARTTLS not offered`)

const rows: Case[] = [
  // Times. Jitter shortens a wait by up to a tenth.
  {
    name: 'after the first attempt, the message waits one minute',
    ...plain,
    lastAttempt: failedAttempt(0, 1, temporaryFailure),
    minutes: 0.1,
    expected: wait('0:58'),
    why: 'Attempt 1 at mx.northwind.example ended with 451 4.3.0 Try again later.',
  },
  {
    name: 'the second attempt is made a minute after the first',
    ...plain,
    lastAttempt: failedAttempt(0, 1, temporaryFailure),
    minutes: 1,
    expected: afterSession(byDefault(2)),
  },
  {
    name: 'after the second attempt, the message waits four minutes',
    ...plain,
    lastAttempt: failedAttempt(1, 2, temporaryFailure),
    minutes: 4.4,
    expected: wait('4:55'),
  },
  {
    name: 'the third attempt is made four minutes after the second',
    ...plain,
    lastAttempt: failedAttempt(1, 2, temporaryFailure),
    minutes: 5,
    expected: afterSession(byDefault(3)),
  },
  {
    name: 'after the third attempt, the message waits fifteen minutes',
    ...plain,
    lastAttempt: failedAttempt(5, 3, temporaryFailure),
    minutes: 6,
    expected: wait('19:41'),
  },
  {
    name: 'the fifth attempt is made fifteen minutes after the fourth',
    ...plain,
    lastAttempt: failedAttempt(20, 4, temporaryFailure),
    minutes: 35,
    expected: afterSession(byDefault(5)),
  },
  {
    name: 'the wait starts at the end of an attempt, not at its beginning',
    ...plain,
    lastAttempt: failedAttempt(0, 1, { ...temporaryFailure, durationMs: 120_000 }),
    minutes: 2.1,
    expected: wait('2:58'),
  },
  {
    name: 'the next attempt is made early when an administrator requests it',
    ...plain,
    lastAttempt: failedAttempt(0, 1, temporaryFailure),
    minutes: 0.1,
    retry: true,
    expected: afterSession(byDefault(2)),
  },
  {
    name: 'an attempt that an administrator requests forces TLS too',
    ...withConnector(forced),
    lastAttempt: failedAttempt(20, 4, noStartTls),
    minutes: 21,
    retry: true,
    expected: afterSession(bySelf('EncryptionOnly', 5)),
  },
  {
    name: 'a message that has expired bounces even when an administrator requests an attempt',
    ...plain,
    lastAttempt: failedAttempt(day - 1, 97, temporaryFailure),
    minutes: day,
    retry: true,
    expected: afterSession('Bounce Expired: 451 4.4.7 Message expired: 451 4.3.0 Try again later'),
  },
  // Verdicts.
  {
    name: 'a message waits for the next attempt if the last attempt did not meet forced TLS',
    ...withConnector(forced),
    lastAttempt: failedAttempt(0, 1, noStartTls),
    minutes: 0.1,
    expected: waitForTls('0:58'),
  },
  {
    name: 'the attempt after one that did not meet forced TLS forces TLS again',
    ...withConnector(forced),
    lastAttempt: failedAttempt(0, 1, noStartTls),
    minutes: 1,
    expected: afterSession(bySelf('EncryptionOnly', 2)),
  },
  {
    name: 'with onTlsFailure Bounce a message bounces after an attempt that did not meet forced TLS',
    ...withConnector(forcedOrBounce),
    lastAttempt: failedAttempt(0, 1, noStartTls),
    minutes: 0.1,
    expected: afterSession('Bounce OutboundTlsNotMet: 550 5.7.321 STARTTLS not offered'),
  },
  {
    name: 'with onTlsFailure Bounce and smtpDaneMode Mandatory a message bounces after an attempt without TLSA records',
    ...withConnector(outboundTo('northwind.example', { smtpDaneMode: 'Mandatory', onTlsFailure: 'Bounce' })),
    lastAttempt: failedAttempt(0, 1, noStartTls),
    minutes: 0.1,
    expected: afterSession('Bounce OutboundTlsNotMet: 550 5.7.321 STARTTLS not offered'),
  },
  {
    name: 'with onTlsFailure Bounce a message waits after a temporary failure that is unrelated to TLS',
    ...withConnector(forcedOrBounce),
    lastAttempt: failedAttempt(0, 1, temporaryFailure),
    minutes: 0.1,
    expected: wait('0:58'),
  },
  {
    name: 'the next attempt meets the present requirement of a connector that has become stricter',
    ...withConnector(checked),
    lastAttempt: failedAttempt(0, 1, noStartTls),
    minutes: 1,
    expected: afterSession(bySelf('CertificateValidation', 2)),
  },
  {
    name: 'a message bounces after a permanent refusal',
    ...plain,
    lastAttempt: failedAttempt(0, 1, {
      outcome: 'PermanentFailure',
      reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
    }),
    expected: afterSession('Bounce RefusedByNextHop: 550 5.1.1 No such user'),
    why: 'Attempt 1 at mx.northwind.example ended with 550 5.1.1 No such user.',
  },
  {
    name: 'a message bounces after a permanent refusal even when an administrator requests an attempt',
    ...plain,
    lastAttempt: failedAttempt(0, 1, {
      outcome: 'PermanentFailure',
      reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
    }),
    retry: true,
    expected: afterSession('Bounce RefusedByNextHop: 550 5.1.1 No such user'),
  },
  {
    name: 'a message bounces when the domain announces that it accepts no mail',
    ...plain,
    lastAttempt: failedAttempt(0, 1, {
      outcome: 'PermanentFailure',
      host: null,
      reply: { code: 556, enhanced: '5.1.10', text: 'accepts no mail' },
    }),
    expected: afterSession('Bounce NoNextHop: 556 5.1.10 accepts no mail'),
  },
  // Expiry
  {
    name: 'a wait ends at the expiry at the latest',
    ...plain,
    lastAttempt: failedAttempt(day - 5, 97, temporaryFailure),
    minutes: day - 4,
    recipient: { delayNotified: true },
    expected: wait('1440:00'),
  },
  {
    name: 'a message bounces after a day',
    ...plain,
    lastAttempt: failedAttempt(day - 5, 97, temporaryFailure),
    minutes: day,
    expected: afterSession('Bounce Expired: 451 4.4.7 Message expired: 451 4.3.0 Try again later'),
  },
  {
    name: 'a message bounces after twelve hours if its connector sets this expiry',
    ...withConnector(outboundTo('northwind.example', { expirationHours: 12 })),
    lastAttempt: failedAttempt(700, 50, temporaryFailure),
    minutes: 720,
    expected: afterSession('Bounce Expired: 451 4.4.7 Message expired: 451 4.3.0 Try again later'),
  },
  {
    name: 'an attempt is made a minute before the expiry',
    ...withConnector(outboundTo('northwind.example', { expirationHours: 12 })),
    lastAttempt: failedAttempt(700, 50, temporaryFailure),
    minutes: 719,
    expected: afterSession(bySelf('opportunistic TLS', 51)),
  },
  {
    name: 'a message bounces after a day with OutboundTlsNotMet if its last attempt did not meet forced TLS',
    ...withConnector(forced),
    lastAttempt: failedAttempt(day - 5, 97, noStartTls),
    minutes: day,
    expected: afterSession('Bounce OutboundTlsNotMet: 550 5.7.321 STARTTLS not offered'),
  },
  {
    name: 'the first attempt is made even if the message has expired',
    ...plain,
    minutes: day + 60,
    expected: afterSession('Deliver DefaultRoute by MX of northwind.example with opportunistic TLS'),
  },
  // Notification of the sender.
  {
    name: 'the sender is notified of a delay after four hours',
    ...withConnector(forced),
    lastAttempt: failedAttempt(239, 17, noStartTls),
    minutes: 240,
    expected: waitForTls('253:19, the sender is notified'),
  },
  {
    name: 'the sender is not notified of a delay a second time',
    ...withConnector(forced),
    lastAttempt: failedAttempt(239, 17, noStartTls),
    minutes: 240,
    recipient: { delayNotified: true },
    expected: waitForTls('253:19'),
  },
  {
    name: 'the sender is not notified of a delay with NOTIFY=FAILURE',
    ...withConnector(forced),
    lastAttempt: failedAttempt(239, 17, noStartTls),
    minutes: 240,
    recipient: { notify: ['FAILURE'] },
    expected: waitForTls('253:19'),
  },
  {
    name: 'the sender is notified of a delay with NOTIFY=DELAY',
    ...withConnector(forced),
    lastAttempt: failedAttempt(239, 17, noStartTls),
    minutes: 240,
    recipient: { notify: ['DELAY'] },
    expected: waitForTls('253:19, the sender is notified'),
  },
  {
    name: 'the sender <> is not notified of a delay',
    ...sending,
    from: '',
    createdByMailflow: true,
    lastAttempt: failedAttempt(239, 17, temporaryFailure),
    minutes: 240,
    expected: wait('253:19'),
  },
]

export const retriesAndExpiry: Chapter = {
  title: 'Retries and expiry: the times and number of attempts, and their end',
  cases: rows,
}
