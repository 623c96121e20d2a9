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
  messages: number
}

function rateLimiterFor(context: TestContext, { addressLimit = 0, otherMessages = 0 } = {}) {
  const reports: Report[] = []
  const lines: string[] = []
  const connectorCounts: SharedCounts = {
    async report(key, _minute, messages) {
      reports.push({ key, messages })
      return { messages: otherMessages, counters: otherMessages > 0 ? 1 : 0 }
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

/** @returns the number of accepted messages of a hundred */
function countAccepted(countMessage: () => unknown): number {
  return Array.from({ length: 100 }, countMessage).filter((refusal) => refusal === null).length
}

describe('a connector with messageRateLimit', () => {
  it('accepts as many messages per minute as its limit, and refuses the others with 451', (context) => {
    const { rates } = rateLimiterFor(context)
    const connectors = [limitedConnector(3)]
    assert.equal(
      countAccepted(() => rates.countMessage(ip, connectors, 0)),
      3,
    )
    const refusal = rates.countMessage(ip, connectors, minute - 1)
    assert.ok(refusal)
    assert.equal(
      formatReply(refusal.reply),
      '451 4.7.0 Too many messages per minute for this connector, try again later',
    )
    assert.equal(refusal.reason, 'MessageRate')
    assert.equal(refusal.connector, 'id-contoso')
    assert.equal(rates.countMessage(ip, connectors, minute), null)
  })

  it('counts messages from all addresses', (context) => {
    const { rates } = rateLimiterFor(context)
    let host = 1
    assert.equal(
      countAccepted(() => rates.countMessage(`192.0.2.${host++}`, [limitedConnector(5)], 0)),
      5,
    )
  })

  it('accepts only the part of its limit that other tasks have not used', async (context) => {
    const { rates } = rateLimiterFor(context, { otherMessages: 7 })
    const connectors = [limitedConnector(10)]
    assert.equal(rates.countMessage(ip, connectors, 0), null)
    await null
    assert.equal(
      countAccepted(() => rates.countMessage(ip, connectors, 0)),
      2,
    )
  })

  it('is counted separately from other connectors', (context) => {
    const { rates } = rateLimiterFor(context)
    assert.equal(
      countAccepted(() => rates.countMessage(ip, [limitedConnector(3)], 0)),
      3,
    )
    assert.equal(
      countAccepted(() => rates.countMessage(ip, [limitedConnector(4, { name: 'Fabrikam' })], 0)),
      4,
    )
  })

  it('does not count a message that the limit of another connector refuses', (context) => {
    const { rates } = rateLimiterFor(context)
    const [wide, narrow] = [limitedConnector(10), limitedConnector(2, { name: 'Ours' })]
    assert.equal(
      countAccepted(() => rates.countMessage(ip, [wide, narrow], 0)),
      2,
    )
    assert.equal(rates.countMessage(ip, [wide, narrow], 0)?.connector, 'id-ours')
    assert.equal(
      countAccepted(() => rates.countMessage(ip, [wide], 0)),
      8,
    )
  })

  const unlimitedConnectors: { name: string; connector: ReturnType<typeof inbound> }[] = [
    { name: 'its messageRateLimit is null', connector: limitedConnector(null) },
    { name: 'it is report only', connector: limitedConnector(1, { mode: 'ReportOnly' }) },
    {
      name: 'it was stored without messageRateLimit',
      connector: { ...limitedConnector(null), messageRateLimit: undefined } as never,
    },
  ]
  for (const { name, connector } of unlimitedConnectors)
    it(`accepts all messages and reports no count if ${name}`, (context) => {
      const { rates, reports } = rateLimiterFor(context)
      assert.equal(
        countAccepted(() => rates.countMessage(ip, [connector], 0)),
        100,
      )
      assert.deepEqual(reports, [])
    })

  it('reports its count to the other tasks at the first message, and that of later messages within a second', async (context) => {
    context.mock.timers.enable({ apis: ['setInterval'] })
    const { rates, reports } = rateLimiterFor(context)
    for (let message = 0; message < 5; message++) rates.countMessage(ip, [limitedConnector(1000)], 0)
    await null
    assert.deepEqual(reports, [{ key: 'id-contoso', messages: 1 }])
    context.mock.timers.tick(1000)
    assert.deepEqual(reports.at(-1), { key: 'id-contoso', messages: 5 })
    context.mock.timers.tick(5000)
    assert.equal(reports.length, 2)
  })
})

describe('an address with a message rate limit', () => {
  it('is limited whichever connectors apply, and no count is reported to other tasks', (context) => {
    const { rates, reports } = rateLimiterFor(context, { addressLimit: 3 })
    assert.equal(
      countAccepted(() => rates.countMessage(ip, [], 0)),
      3,
    )
    const refusal = rates.countMessage(ip, [limitedConnector(null)], 0)
    assert.ok(refusal)
    assert.equal(
      formatReply(refusal.reply),
      '451 4.7.0 Too many messages per minute from your address, try again later',
    )
    assert.deepEqual([refusal.reason, refusal.connector], ['MessageRatePerAddress', null])
    assert.equal(rates.countMessage('192.0.2.2', [], 0), null)
    assert.equal(rates.countMessage(ip, [], minute), null)
    assert.deepEqual(reports, [])
  })

  it('is limited together with its IPv6 /64, in any spelling', (context) => {
    const { rates } = rateLimiterFor(context, { addressLimit: 2 })
    const reasonFor = (from: string) => rates.countMessage(from, [], 0)?.reason ?? null
    assert.deepEqual(
      ['2001:db8:0:1::1', '2001:DB8::1:2:3:4:5', '2001:db8:0:1:ffff::', '2001:db8:0:2::1'].map(reasonFor),
      [null, null, 'MessageRatePerAddress', null],
    )
    assert.deepEqual(['192.0.2.7', '::ffff:192.0.2.7', '::ffff:c000:207'].map(reasonFor), [
      null,
      null,
      'MessageRatePerAddress',
    ])
  })

  it('does not use the limit of a connector with messages that its own limit refuses', (context) => {
    const { rates } = rateLimiterFor(context, { addressLimit: 2 })
    const connectors = [limitedConnector(5)]
    assert.equal(
      countAccepted(() => rates.countMessage(ip, connectors, 0)),
      2,
    )
    let host = 10
    assert.equal(
      countAccepted(() => rates.countMessage(`192.0.2.${host++}`, connectors, 0)),
      3,
    )
  })

  it('does not use its own limit with messages that the limit of a connector refuses', (context) => {
    const { rates } = rateLimiterFor(context, { addressLimit: 5 })
    assert.equal(
      countAccepted(() => rates.countMessage(ip, [limitedConnector(2)], 0)),
      2,
    )
    assert.equal(
      countAccepted(() => rates.countMessage(ip, [], 0)),
      3,
    )
  })
})
