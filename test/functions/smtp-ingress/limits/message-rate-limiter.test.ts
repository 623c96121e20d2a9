import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createMessageRateLimiter } from '../../../../functions/smtp-ingress/limits/message-rate-limiter.ts'
import type { SharedCounts } from '../../../../functions/smtp-ingress/limits/shared-rate-counter.ts'
import { formatReply } from '../../../../shared/mail/reply.ts'
import { inbound } from '../../../support/fixtures.ts'

const minute = 60_000
const ip = '192.0.2.1'

interface Report {
  key: string
  taken: number
}

function rateLimiterFor(context: TestContext, { addressLimit = 0, others = 0 } = {}) {
  const reports: Report[] = []
  const lines: string[] = []
  const connectorCounts: SharedCounts = {
    async report(key, _minute, taken) {
      reports.push({ key, taken })
      return { messages: others, counters: others > 0 ? 1 : 0 }
    },
  }
  const rates = createMessageRateLimiter({
    connectorCounts,
    addressLimit,
    log: (_level, message) => lines.push(message),
    now: () => 0,
  })
  context.after(() => rates.stop())
  return { rates, reports, lines }
}

const limitedConnector = (messageRateLimit: number | null, fields: Parameters<typeof inbound>[0] = {}) =>
  inbound({ messageRateLimit, ...fields })

/** @returns how many of a hundred messages are accepted */
function taken(ask: () => unknown): number {
  return Array.from({ length: 100 }, ask).filter((refused) => refused === null).length
}

describe('a connector with a limit', () => {
  it('accepts that many messages a minute and defers the rest in session', (context) => {
    const { rates } = rateLimiterFor(context)
    const connectors = [limitedConnector(3)]
    assert.equal(
      taken(() => rates.countMessage(ip, connectors, 0)),
      3,
    )
    const refused = rates.countMessage(ip, connectors, minute - 1)
    assert.ok(refused)
    assert.equal(
      formatReply(refused.reply),
      '451 4.7.0 Too many messages per minute for this connector, try again later',
    )
    assert.equal(refused.reason, 'MessageRate')
    assert.equal(refused.connector, 'id-contoso')
    assert.equal(rates.countMessage(ip, connectors, minute), null)
  })

  it('counts messages from all addresses', (context) => {
    const { rates } = rateLimiterFor(context)
    let host = 1
    assert.equal(
      taken(() => rates.countMessage(`192.0.2.${host++}`, [limitedConnector(5)], 0)),
      5,
    )
  })

  it('accepts what other tasks left of its limit', async (context) => {
    const { rates } = rateLimiterFor(context, { others: 7 })
    const connectors = [limitedConnector(10)]
    assert.equal(rates.countMessage(ip, connectors, 0), null)
    await null
    assert.equal(
      taken(() => rates.countMessage(ip, connectors, 0)),
      2,
    )
  })

  it('is counted separately from others', (context) => {
    const { rates } = rateLimiterFor(context)
    assert.equal(
      taken(() => rates.countMessage(ip, [limitedConnector(3)], 0)),
      3,
    )
    assert.equal(
      taken(() => rates.countMessage(ip, [limitedConnector(4, { name: 'Fabrikam' })], 0)),
      4,
    )
  })

  it('does not count a message that another connector defers', (context) => {
    const { rates } = rateLimiterFor(context)
    const [wide, narrow] = [limitedConnector(10), limitedConnector(2, { name: 'Ours' })]
    assert.equal(
      taken(() => rates.countMessage(ip, [wide, narrow], 0)),
      2,
    )
    assert.equal(rates.countMessage(ip, [wide, narrow], 0)?.connector, 'id-ours')
    assert.equal(
      taken(() => rates.countMessage(ip, [wide], 0)),
      8,
    )
  })

  const without: { name: string; connector: ReturnType<typeof inbound> }[] = [
    { name: 'that has no limit', connector: limitedConnector(null) },
    { name: 'that is report only', connector: limitedConnector(1, { mode: 'ReportOnly' }) },
    {
      name: 'stored before limits existed',
      connector: { ...limitedConnector(null), messageRateLimit: undefined } as never,
    },
  ]
  for (const { name, connector } of without)
    it(`is not limited and causes no report when it is one ${name}`, (context) => {
      const { rates, reports } = rateLimiterFor(context)
      assert.equal(
        taken(() => rates.countMessage(ip, [connector], 0)),
        100,
      )
      assert.deepEqual(reports, [])
    })

  it('is reported by id at the first message; the rest follows within a second', async (context) => {
    context.mock.timers.enable({ apis: ['setInterval'] })
    const { rates, reports } = rateLimiterFor(context)
    for (let message = 0; message < 5; message++) rates.countMessage(ip, [limitedConnector(1000)], 0)
    await null
    assert.deepEqual(reports, [{ key: 'id-contoso', taken: 1 }])
    context.mock.timers.tick(1000)
    assert.deepEqual(reports.at(-1), { key: 'id-contoso', taken: 5 })
    context.mock.timers.tick(5000)
    assert.equal(reports.length, 2)
  })
})

describe('an address', () => {
  it('has its own limit, independent of connectors', (context) => {
    const { rates, reports } = rateLimiterFor(context, { addressLimit: 3 })
    assert.equal(
      taken(() => rates.countMessage(ip, [], 0)),
      3,
    )
    const refused = rates.countMessage(ip, [limitedConnector(null)], 0)
    assert.ok(refused)
    assert.equal(
      formatReply(refused.reply),
      '451 4.7.0 Too many messages per minute from your address, try again later',
    )
    assert.deepEqual([refused.reason, refused.connector], ['MessageRatePerAddress', null])
    assert.equal(rates.countMessage('192.0.2.2', [], 0), null)
    assert.equal(rates.countMessage(ip, [], minute), null)
    assert.deepEqual(reports, [])
  })

  it('is a /64 of IPv6, in any spelling', (context) => {
    const { rates } = rateLimiterFor(context, { addressLimit: 2 })
    const ask = (from: string) => rates.countMessage(from, [], 0)?.reason ?? null
    assert.deepEqual(
      ['2001:db8:0:1::1', '2001:DB8::1:2:3:4:5', '2001:db8:0:1:ffff::', '2001:db8:0:2::1'].map(ask),
      [null, null, 'MessageRatePerAddress', null],
    )
    assert.deepEqual(['192.0.2.7', '::ffff:192.0.2.7', '::ffff:c000:207'].map(ask), [
      null,
      null,
      'MessageRatePerAddress',
    ])
  })

  it('does not use up a connector\u2019s limit with deferred messages', (context) => {
    const { rates } = rateLimiterFor(context, { addressLimit: 2 })
    const connectors = [limitedConnector(5)]
    assert.equal(
      taken(() => rates.countMessage(ip, connectors, 0)),
      2,
    )
    let host = 10
    assert.equal(
      taken(() => rates.countMessage(`192.0.2.${host++}`, connectors, 0)),
      3,
    )
  })

  it('is not charged for messages that a connector defers', (context) => {
    const { rates } = rateLimiterFor(context, { addressLimit: 5 })
    assert.equal(
      taken(() => rates.countMessage(ip, [limitedConnector(2)], 0)),
      2,
    )
    assert.equal(
      taken(() => rates.countMessage(ip, [], 0)),
      3,
    )
  })
})
