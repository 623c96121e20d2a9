import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { messageRates } from '../../../../functions/smtp-ingress/limits/rates.ts'
import type { SharedCounts } from '../../../../functions/smtp-ingress/limits/rates-shared.ts'
import { formatReply } from '../../../../shared/mail/reply.ts'
import { inbound } from '../../../support/fixtures.ts'

const minute = 60_000
const ip = '192.0.2.1'

interface Report {
  key: string
  taken: number
}

function ratesOf(context: TestContext, { perAddress = 0, others = 0 } = {}) {
  const reports: Report[] = []
  const lines: string[] = []
  const connectorCounts: SharedCounts = {
    async report(key, _minute, taken) {
      reports.push({ key, taken })
      return { taken: others, counters: others > 0 ? 1 : 0 }
    },
  }
  const rates = messageRates({
    connectorCounts,
    perAddress,
    log: (_level, message) => lines.push(message),
    now: () => 0,
  })
  context.after(() => rates.stop())
  return { rates, reports, lines }
}

const limited = (messageRateLimit: number | null, fields: Parameters<typeof inbound>[0] = {}) =>
  inbound({ messageRateLimit, ...fields })

/** How many of a hundred messages are taken. */
function taken(ask: () => unknown): number {
  return Array.from({ length: 100 }, ask).filter((refused) => refused === null).length
}

describe('a connector with a limit', () => {
  it('takes as many messages a minute, and puts off the rest in session', (context) => {
    const { rates } = ratesOf(context)
    const connectors = [limited(3)]
    assert.equal(
      taken(() => rates.refuse(ip, connectors, 0)),
      3,
    )
    const refused = rates.refuse(ip, connectors, minute - 1)
    assert.ok(refused)
    assert.equal(
      formatReply(refused.reply),
      '451 4.7.0 Too many messages of this connector a minute, try again later',
    )
    assert.equal(refused.reason, 'MessageRate')
    assert.equal(refused.connector, 'id-contoso')
    assert.equal(rates.refuse(ip, connectors, minute), null)
  })

  it('takes them from whatever address they come', (context) => {
    const { rates } = ratesOf(context)
    let host = 1
    assert.equal(
      taken(() => rates.refuse(`192.0.2.${host++}`, [limited(5)], 0)),
      5,
    )
  })

  it('takes what the others leave of it', async (context) => {
    const { rates } = ratesOf(context, { others: 7 })
    const connectors = [limited(10)]
    assert.equal(rates.refuse(ip, connectors, 0), null)
    await null
    assert.equal(
      taken(() => rates.refuse(ip, connectors, 0)),
      2,
    )
  })

  it('is counted apart from others', (context) => {
    const { rates } = ratesOf(context)
    assert.equal(
      taken(() => rates.refuse(ip, [limited(3)], 0)),
      3,
    )
    assert.equal(
      taken(() => rates.refuse(ip, [limited(4, { name: 'Fabrikam' })], 0)),
      4,
    )
  })

  it('counts no message that another one puts off', (context) => {
    const { rates } = ratesOf(context)
    const [wide, narrow] = [limited(10), limited(2, { name: 'Ours' })]
    assert.equal(
      taken(() => rates.refuse(ip, [wide, narrow], 0)),
      2,
    )
    assert.equal(rates.refuse(ip, [wide, narrow], 0)?.connector, 'id-ours')
    assert.equal(
      taken(() => rates.refuse(ip, [wide], 0)),
      8,
    )
  })

  const without: { name: string; connector: ReturnType<typeof inbound> }[] = [
    { name: 'that has no limit', connector: limited(null) },
    { name: 'that only reports', connector: limited(1, { mode: 'ReportOnly' }) },
    {
      name: 'that was written before there were limits',
      connector: { ...limited(null), messageRateLimit: undefined } as never,
    },
  ]
  for (const { name, connector } of without)
    it(`takes any number where it is one ${name}, and asks nobody`, (context) => {
      const { rates, reports } = ratesOf(context)
      assert.equal(
        taken(() => rates.refuse(ip, [connector], 0)),
        100,
      )
      assert.deepEqual(reports, [])
    })

  it('is reported by its id at the first message, and the rest within a second', async (context) => {
    context.mock.timers.enable({ apis: ['setInterval'] })
    const { rates, reports } = ratesOf(context)
    for (let message = 0; message < 5; message++) rates.refuse(ip, [limited(1000)], 0)
    await null
    assert.deepEqual(reports, [{ key: 'id-contoso', taken: 1 }])
    context.mock.timers.tick(1000)
    assert.deepEqual(reports.at(-1), { key: 'id-contoso', taken: 5 })
    context.mock.timers.tick(5000)
    assert.equal(reports.length, 2)
  })
})

describe('an address', () => {
  it('may send as many messages a minute, whatever connectors there are', (context) => {
    const { rates, reports } = ratesOf(context, { perAddress: 3 })
    assert.equal(
      taken(() => rates.refuse(ip, [], 0)),
      3,
    )
    const refused = rates.refuse(ip, [limited(null)], 0)
    assert.ok(refused)
    assert.equal(
      formatReply(refused.reply),
      '451 4.7.0 Too many messages from your address a minute, try again later',
    )
    assert.deepEqual([refused.reason, refused.connector], ['MessageRatePerAddress', null])
    assert.equal(rates.refuse('192.0.2.2', [], 0), null)
    assert.equal(rates.refuse(ip, [], minute), null)
    assert.deepEqual(reports, [])
  })

  it('is a /64 of IPv6, and the same in each spelling', (context) => {
    const { rates } = ratesOf(context, { perAddress: 2 })
    const ask = (from: string) => rates.refuse(from, [], 0)?.reason ?? null
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

  it('uses up no connector with what is put off', (context) => {
    const { rates } = ratesOf(context, { perAddress: 2 })
    const connectors = [limited(5)]
    assert.equal(
      taken(() => rates.refuse(ip, connectors, 0)),
      2,
    )
    let host = 10
    assert.equal(
      taken(() => rates.refuse(`192.0.2.${host++}`, connectors, 0)),
      3,
    )
  })

  it('is not used up by what its connector puts off', (context) => {
    const { rates } = ratesOf(context, { perAddress: 5 })
    assert.equal(
      taken(() => rates.refuse(ip, [limited(2)], 0)),
      2,
    )
    assert.equal(
      taken(() => rates.refuse(ip, [], 0)),
      3,
    )
  })
})
