/** One day of mail to a partner, in simulated time: attempts and DSNs. Most of the partners here accept no mail. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { InboundConnector, OutboundConnector } from '../../../shared/connectors/schema.ts'
import type { Recipient } from '../../../shared/contract/message.ts'
import type { Settings } from '../../../shared/policy/evaluate.ts'
import { fakeResolver } from '../../support/dns.ts'
import { inbound, outbound, recipient, snapshot } from '../../support/fixtures.ts'
import { freePort } from '../../support/process.ts'
import { attemptMs, Deployment, type RecordedAttempt } from '../../support/retry-deployment.ts'
import { smtpOptions } from '../../support/smtp-options.ts'
import { type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'

const minute = 60_000
const hour = 60 * minute
const smartHost = 'mx.northwind.example'
const addresses = ['b@northwind.example', 'c@northwind.example', 'd@northwind.example'] as const

interface Day {
  partner: PartnerOptions | 'down'
  connector?: Partial<OutboundConnector>
  /** Inbound connectors. When they are set, the message comes from outside, in the clear. */
  inbound?: InboundConnector[]
  recipients?: Recipient[]
  settings?: Partial<Settings>
  id?: string
  /** Times at which an administrator requests the next attempt, in milliseconds after receipt. */
  retriesAt?: number[]
}

async function simulateDay({
  partner,
  connector,
  inbound: inboundConnectors,
  recipients,
  settings,
  id,
  retriesAt = [],
}: Day): Promise<Deployment> {
  const server = partner === 'down' ? null : await startPartner(partner)
  const deployment = new Deployment({
    connectors: snapshot({
      inbound: inboundConnectors ?? [],
      outbound: [
        outbound({
          route: 'SmartHosts',
          smartHosts: [{ host: smartHost, port: server?.port ?? (await freePort()) }],
          ...connector,
        }),
      ],
    }),
    settings: { defaultRoute: 'Mx', ...settings },
    smtp: smtpOptions({
      resolver: fakeResolver({ a: { [smartHost]: ['127.0.0.1'] } }),
      signal: AbortSignal.timeout(60_000),
    }),
  })
  try {
    const sent = deployment.accept(recipients ?? [recipient({ address: addresses[0] })], {
      ...(inboundConnectors === undefined ? { source: null } : {}),
      ...(id === undefined ? {} : { id }),
    })
    for (const at of retriesAt) deployment.retryAt(at, sent)
    await deployment.run()
    return deployment
  } finally {
    await server?.stop()
  }
}

const forced = { tlsSettings: 'EncryptionOnly' } as const
const later: PartnerOptions = { answerToMessage: '451 4.3.0 Try again later' }

/** Waits from the end of each attempt to the beginning of the next. */
const waits = (attempts: RecordedAttempt[]): number[] =>
  attempts.slice(1).map(({ at }, index) => at - (attempts[index]?.at ?? 0) - attemptMs)

/** Asserts the schedule in whole seconds: 1 minute, 4 minutes, then 15 minutes each, shortened by up to a tenth. */
function assertFollowsSchedule(attempts: RecordedAttempt[], expiresAt: number): void {
  assert.equal(attempts[0]?.at, 0)
  for (const [index, wait] of waits(attempts).entries()) {
    const base = [minute, 4 * minute][index] ?? 15 * minute
    assert.ok(wait <= base && wait >= 0.9 * base, `wait ${index + 1} is ${wait} ms`)
    assert.equal(wait % 1000, 0)
  }
  assert.deepEqual(
    attempts.map(({ number }) => number),
    attempts.map((_, index) => index + 1),
  )
  const last = attempts.at(-1)?.at ?? 0
  assert.ok(last < expiresAt, 'an attempt after the message expired')
  assert.ok(last >= expiresAt - 15 * minute - attemptMs, `the last attempt was made at ${last}`)
}

describe('the schedule of attempts of a message', () => {
  const rows: [name: string, day: Day, attempt: { outcome: string; code: string }, ends: string][] = [
    [
      'a partner without working TLS',
      { partner: {}, connector: forced },
      { outcome: 'TlsNotMet', code: '4.7.321' },
      '5.7.321',
    ],
    [
      'a partner that replies 4xx',
      { partner: later },
      { outcome: 'TemporaryFailure', code: '4.3.0' },
      '4.4.7',
    ],
    [
      'a partner that is down',
      { partner: 'down' },
      { outcome: 'TemporaryFailure', code: '4.4.316' },
      '4.4.7',
    ],
  ]
  for (const [name, day, { outcome, code }, ends] of rows)
    test(`is followed for 24 hours to ${name}, with a delay DSN after four hours and a failure DSN at the end`, async () => {
      const { attempts, results } = await simulateDay(day)
      assertFollowsSchedule(attempts, 24 * hour)
      for (const { outcomes, codes } of attempts)
        assert.deepEqual([outcomes, codes], [{ [addresses[0]]: outcome }, { [addresses[0]]: code }])
      assert.deepEqual(
        results.map(({ kind, addresses: reported, status }) => [kind, reported, status]),
        [
          ['delayed', [addresses[0]], [code]],
          ['failed', [addresses[0]], [ends]],
        ],
      )
      const [delay, failure] = results
      const first = attempts.find(({ at }) => at + attemptMs >= 4 * hour)
      assert.equal(delay?.at, (first?.at ?? 0) + attemptMs, 'with the first decision after four hours')
      assert.equal(failure?.at, 24 * hour)
      assert.match(
        delay?.text ?? '',
        /"Northwind"[\s\S]*This system will try until Fri, 16 Jan 2026 12:00:00 \+0000/,
      )
    })

  test('is followed for 12 hours when the connector has expirationHours 12', async () => {
    const { attempts, results } = await simulateDay({ partner: later, connector: { expirationHours: 12 } })
    assertFollowsSchedule(attempts, 12 * hour)
    assert.deepEqual(
      results.map(({ kind }) => kind),
      ['delayed', 'failed'],
    )
    assert.equal(results[1]?.at, 12 * hour)
  })

  test('has the same times in a repeated run, and other times for another message', async () => {
    const times = async (id: string) =>
      (await simulateDay({ partner: 'down', id })).attempts.map(({ at }) => at)
    const firstTimes = await times('01KF0CVZT0ABCDEFGHJKMNPQR1')
    assert.deepEqual(await times('01KF0CVZT0ABCDEFGHJKMNPQR1'), firstTimes)
    assert.notDeepEqual(await times('01KF0CVZT0ABCDEFGHJKMNPQR2'), firstTimes)
  })

  test('has because of jitter at most about a tenth more attempts', async () => {
    const { attempts } = await simulateDay({ partner: 'down' })
    const countWithoutJitter = 3 + Math.floor((24 * hour - 5 * minute) / (15 * minute))
    assert.ok(attempts.length >= countWithoutJitter * 0.95, `${attempts.length}`)
    assert.ok(attempts.length <= countWithoutJitter / 0.9 + 1, `${attempts.length}`)
  })
})

test('mail that a connector holds is never sent, and its sender gets a delay DSN and a failure DSN', async () => {
  const { attempts, results } = await simulateDay({
    partner: {},
    inbound: [inbound({ senderDomains: ['elsewhere.example'], onViolation: 'Defer' })],
  })
  assert.deepEqual(attempts, [])
  assert.deepEqual(
    results.map(({ at, kind, status }) => [at, kind, status]),
    [
      [4 * hour, 'delayed', ['4.7.10']],
      [24 * hour, 'failed', ['5.7.10']],
    ],
  )
  assert.match(results[1]?.text ?? '', /without the encryption agreed[\s\S]*connector "Contoso"/)
})

describe('a message', () => {
  const some: PartnerOptions = {
    answer: (command) => (/^RCPT TO:<[cd]@/.test(command) ? '452 4.2.2 The mailbox is full' : undefined),
  }

  test('with one delivered and two deferred recipients is sent again only to the deferred two, together, until it expires', async () => {
    const { attempts, results } = await simulateDay({
      partner: some,
      recipients: addresses.map((address) => recipient({ address })),
    })
    assertFollowsSchedule(attempts, 24 * hour)
    const [first, ...others] = attempts
    assert.deepEqual(first?.outcomes, {
      [addresses[0]]: 'Delivered',
      [addresses[1]]: 'TemporaryFailure',
      [addresses[2]]: 'TemporaryFailure',
    })
    assert.ok(others.length > 90)
    for (const { outcomes } of others)
      assert.deepEqual(outcomes, { [addresses[1]]: 'TemporaryFailure', [addresses[2]]: 'TemporaryFailure' })
    assert.deepEqual(
      results.map(({ at, kind, addresses: reported }) => [
        kind,
        reported.toSorted(),
        kind === 'failed' ? at : null,
      ]),
      [
        ['delayed', addresses.slice(1), null],
        ['failed', addresses.slice(1), 24 * hour],
      ],
    )
  })

  test('with three recipients causes for each recipient only the DSNs that NOTIFY requests', async () => {
    const notify: Recipient['notify'][] = [['SUCCESS'], ['NEVER'], ['FAILURE']]
    const { results } = await simulateDay({
      partner: { ...some, extensions: [] },
      recipients: addresses.map((address, index) => recipient({ address, notify: notify[index] ?? null })),
    })
    assert.deepEqual(
      results.map(({ kind, addresses: reported }) => [kind, reported]),
      [
        ['relayed', [addresses[0]]],
        ['failed', [addresses[2]]],
      ],
    )
    assert.equal(results[0]?.at, attemptMs)
  })

  test('causes no success DSN when the next hop supports DSN and will send it', async () => {
    const { results } = await simulateDay({
      partner: {},
      recipients: [recipient({ address: addresses[0], notify: ['SUCCESS'] })],
    })
    assert.deepEqual(results, [])
  })
})

test('mail that the partner refuses permanently bounces after the first attempt', async () => {
  const { attempts, results } = await simulateDay({ partner: { answerToMessage: '550 5.1.1 No such user' } })
  assert.equal(attempts.length, 1)
  assert.deepEqual(
    results.map(({ at, kind, status }) => [at, kind, status]),
    [[attemptMs, 'failed', ['5.1.1']]],
  )
})

test('mail whose TLS requirement is not met bounces after the first attempt with onTlsFailure Bounce', async () => {
  const { attempts, results } = await simulateDay({
    partner: {},
    connector: { ...forced, onTlsFailure: 'Bounce' },
  })
  assert.equal(attempts.length, 1)
  assert.deepEqual(
    results.map(({ at, kind, status }) => [at, kind, status]),
    [[attemptMs, 'failed', ['5.7.321']]],
  )
})

test('a message that is delivered at attempt 21 causes no DSN after the delay DSN', async () => {
  let messages = 0
  const { attempts, results } = await simulateDay({
    partner: {
      answer: (command) => (command === 'DATA' && ++messages <= 20 ? '451 4.3.0 Later' : undefined),
    },
  })
  assert.equal(attempts.length, 21)
  assert.equal(attempts.at(-1)?.outcomes[addresses[0]], 'Delivered')
  assert.deepEqual(
    results.map(({ kind }) => kind),
    ['delayed'],
  )
})

describe("an administrator's request for the next attempt", () => {
  test('made twice causes one attempt immediately, from which the schedule continues', async () => {
    const at = 2 * hour + 7 * minute
    const { attempts, results } = await simulateDay({ partner: later, retriesAt: [at, at] })
    const defaults = await simulateDay({ partner: later })
    const before = attempts.filter((attempt) => attempt.at < at).map((attempt) => attempt.at)
    assert.deepEqual(
      before,
      defaults.attempts.filter((attempt) => attempt.at < at).map((attempt) => attempt.at),
    )
    assert.equal(attempts[before.length]?.at, at)
    assert.equal(new Set(attempts.map(({ number }) => number)).size, attempts.length)
    const after = attempts.slice(before.length)
    for (const wait of waits(after)) assert.ok(wait >= 13.5 * minute && wait <= 15 * minute, `${wait}`)
    assert.deepEqual(
      results.map(({ kind }) => kind),
      ['delayed', 'failed'],
    )
    assert.equal(results[1]?.at, 24 * hour)
  })

  test('does not deliver a bounced message', async () => {
    const { attempts, results } = await simulateDay({
      partner: { answerToMessage: '550 5.1.1 No such user' },
      retriesAt: [hour],
    })
    assert.deepEqual([attempts.length, results.length], [1, 1])
  })
})

describe('the delay DSN', () => {
  for (const hours of [0.25, 1, 23])
    test(`is sent at the first decision after ${hours} hours when delayNotificationHours is ${hours}`, async () => {
      const { attempts, results } = await simulateDay({
        partner: later,
        settings: { delayNotificationHours: hours },
      })
      const first = attempts.find(({ at }) => at + attemptMs >= hours * hour)
      assert.deepEqual(
        results.map(({ at, kind }) => [at, kind]),
        [
          [(first?.at ?? 0) + attemptMs, 'delayed'],
          [24 * hour, 'failed'],
        ],
      )
    })

  test('is not sent when NOTIFY does not request it, nor when the message expires before delayNotificationHours', async () => {
    const withoutDelayRequest = await simulateDay({
      partner: later,
      recipients: [recipient({ address: addresses[0], notify: ['FAILURE'] })],
    })
    const expiresBefore = await simulateDay({
      partner: later,
      connector: { expirationHours: 12 },
      settings: { delayNotificationHours: 12.5 },
    })
    for (const { results } of [withoutDelayRequest, expiresBefore])
      assert.deepEqual(
        results.map(({ kind }) => kind),
        ['failed'],
      )
  })
})

test('the timetable in docs/dsns.md is that of a simulated message', async () => {
  const { attempts, results } = await simulateDay({ partner: {}, connector: forced })
  const quotedTable = /<!-- timetable -->\n([\s\S]*?)<!-- end -->/.exec(
    readFileSync(join(import.meta.dirname, '../../../docs/dsns.md'), 'utf8'),
  )?.[1]
  assert.equal(quotedTable, timetable(attempts, results))
})

/** The events as a Markdown table. The middle of a long series of attempts is omitted. */
function timetable(attempts: RecordedAttempt[], results: Deployment['results']): string {
  const delayedAt = results.find(({ kind }) => kind === 'delayed')?.at ?? 0
  const events = [
    ...attempts.map(({ at, number, codes }) => ({
      at,
      event: `attempt ${number}: ${Object.values(codes)[0]}`,
      isShown: number <= 5 || number > attempts.length - 2 || Math.abs(at - delayedAt) < 15 * minute,
    })),
    ...results.map(({ at, kind, status }) => ({
      at,
      event: `DSN \`${kind}\`, status ${status[0]}`,
      isShown: true,
    })),
  ].toSorted((first, second) => first.at - second.at)
  const lines = ['| After | Event |', '|---|---|']
  for (const { at, event, isShown } of events) {
    if (isShown) lines.push(`| ${clock(at)} | ${event} |`)
    else if (!lines.at(-1)?.includes('…')) lines.push('| … | … |')
  }
  return `${lines.join('\n')}\n`
}

const clock = (ms: number): string =>
  [ms / hour, (ms / minute) % 60, (ms / 1000) % 60]
    .map((part) => String(Math.floor(part)).padStart(2, '0'))
    .join(':')
