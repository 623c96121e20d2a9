/**
 * A connector that is changed while mail flows: from the moment of the API's answer on, no message is decided by
 * the rule as it was before.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Partner, startPartner } from '../support/smtp-partner.ts'
import { Api, idIn, type Running, SmtpClient, startRunner, type Trace, until } from './support.ts'

const messages = 1000
const changes = 50
const connections = 10
/** Messages that are accepted and not yet delivered, at most: changes are to fall between decisions. */
const underWay = 40

let runner: Running
let api: Api
let mailboxes: Partner

before(
  async () => {
    mailboxes = await startPartner()
    runner = await startRunner({ names: {}, ports: {} })
    api = new Api(runner.endpoints)
    await api.call('PUT', '/accepted-domains/ours.example', {})
  },
  { timeout: 60_000 },
)

after(async () => {
  await runner?.stop()
  await mailboxes?.stop()
})

test(`${messages} messages against ${changes} changes: none is decided by an older rule`, {
  timeout: 120_000,
}, async () => {
  const connector = await api.create('outbound', rule(0))
  /** When the API had answered each change, by the rule's number. */
  const answeredAt = [Date.now()]
  /** The rule that was in force at the latest when each message was handed over. */
  const inForce = new Map<string, number>()
  let begun = 0

  async function send(): Promise<void> {
    const client = await SmtpClient.open(runner.endpoints)
    while (begun < messages) {
      begun += 1
      await until(() => (begun - mailboxes.received.length <= underWay ? true : null), 5, 90_000)
      const latest = answeredAt.length - 1
      const reply = await client.send('bob@far.example', ['ann@ours.example'], 'Subject: x\r\n\r\nx\r\n')
      inForce.set(idIn(reply), latest)
    }
    client.close()
  }

  async function change(): Promise<void> {
    for (let number = 1; number <= changes; number++) {
      const soFar = (number * messages) / (changes + 1)
      await until(() => (mailboxes.received.length >= soFar ? true : null), 1, 90_000)
      await api.change(`/outbound-connectors/${connector}`, rule(number))
      answeredAt.push(Date.now())
    }
  }

  await Promise.all([change(), ...Array.from({ length: connections }, send)])
  assert.equal(inForce.size, messages)
  const traces = await allTraces()

  const decidedBy = new Map<number, number>()
  for (const trace of traces) {
    const { explanation, at } = trace.recipients[0]?.verdict ?? { explanation: '', at: '' }
    const number = Number(/"rule (\d+)"/.exec(explanation)?.[1])
    decidedBy.set(number, (decidedBy.get(number) ?? 0) + 1)
    const handedOver = inForce.get(trace.id) ?? Number.NaN
    assert.ok(number >= handedOver, `${trace.id}: handed over under rule ${handedOver}, decided by ${number}`)
    const known = answeredAt.findLastIndex((answered) => answered < Date.parse(at))
    assert.ok(number >= known, `${trace.id}: decided at ${at}, after rule ${known}, by rule ${number}`)
  }
  assert.ok(
    decidedBy.size > changes / 2,
    `the changes fell between the messages: ${decidedBy.size} rules decided`,
  )
  assert.equal(mailboxes.received.length, messages, 'each was delivered, once')
})

const rule = (number: number) => ({
  name: `rule ${number}`,
  connectorType: 'OnPremises',
  allAcceptedDomains: true,
  route: 'SmartHosts',
  smartHosts: [{ host: '127.0.0.1', port: mailboxes.port }],
})

async function allTraces(): Promise<Trace[]> {
  return until(
    async () => {
      const traces: Trace[] = []
      let cursor: string | null = ''
      do {
        const next = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
        const page: { items: Trace[]; nextCursor: string | null } = await api.call(
          'GET',
          `/messages?limit=200${next}`,
        )
        traces.push(...page.items)
        cursor = page.nextCursor
      } while (cursor !== null)
      const settled = traces.filter(({ recipients }) =>
        recipients.every(({ state }) => state === 'Delivered'),
      )
      return settled.length === messages ? traces : null
    },
    500,
    90_000,
  )
}
