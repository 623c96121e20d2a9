/**
 * Changes a connector while mail flows. After the API's response, no message is decided by the old rule. Every second
 * rule holds the mail; with the other rules the mail is deferred because its domain has no route.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Api, messageIdIn, type RunnerProcess, SmtpClient } from '../support/local/runner.ts'
import { shareRunner } from '../support/local/shared-runner.ts'

/** `npm run test:long` sends 1000. */
const messages = Number(process.env.CHANGES_MESSAGES ?? 200)
const changes = messages / 20
const connections = 20

const shared = shareRunner()
let runner: RunnerProcess
let api: Api

before(
  async () => {
    runner = await shared.enter()
    api = new Api(runner.endpoints)
    await api.call('PUT', '/accepted-domains/ours.example', {})
  },
  { timeout: 120_000 },
)

after(() => shared.leave())

test(`none of ${messages} messages is decided by a connector as it was before the last of ${changes} changes that the API confirmed`, {
  timeout: 120_000,
}, async () => {
  const connector = await api.create('inbound', rule(0))
  /** The time of the API's response, by the rule's number. */
  const answeredAt = [Date.now()]
  const decidedBy = new Map<number, number>()
  let [begun, decided] = [0, 0]

  async function send(): Promise<void> {
    const client = await SmtpClient.open(runner.endpoints)
    while (begun < messages) {
      begun += 1
      const enforcedRule = answeredAt.length - 1
      const reply = await client.send('bob@far.example', ['ann@ours.example'], 'Subject: x\r\n\r\nx\r\n')
      await check(messageIdIn(reply), enforcedRule)
      decided += 1
      await changeWhenDue()
    }
    client.close()
  }

  /** @param enforcedRule the newest rule that was enforced when the message was sent */
  async function check(id: string, enforcedRule: number): Promise<void> {
    const [recipient] = (await api.settled(id)).recipients
    assert.ok(recipient)
    const { reason, at, considered } = recipient.verdict
    const number = Number(/^rule (\d+)$/.exec(considered[0]?.name ?? '')?.[1])
    const newestRule = answeredAt.findLastIndex((answered) => answered < Date.parse(at))
    assert.ok(number >= enforcedRule, `${id}: handed over under rule ${enforcedRule}, decided by ${number}`)
    assert.ok(number >= newestRule, `${id}: decided at ${at}, after rule ${newestRule}, by rule ${number}`)
    assert.equal(reason, number % 2 === 0 ? 'NoRouteForAcceptedDomain' : 'InboundTlsRequired')
    decidedBy.set(number, (decidedBy.get(number) ?? 0) + 1)
  }

  const isDue = (number: number): boolean => decided >= (number * messages) / (changes + 1)
  let changing: Promise<void> | null = null

  /**
   * Starts the next change when enough messages are decided. Waits for its end only if a further change is already due.
   */
  async function changeWhenDue(): Promise<void> {
    const number = answeredAt.length
    if (number > changes || !isDue(number)) return
    changing ??= change(number).finally(() => {
      changing = null
    })
    if (isDue(number + 1)) await changing
  }

  async function change(number: number): Promise<void> {
    await api.change(`/inbound-connectors/${connector}`, rule(number))
    answeredAt.push(Date.now())
  }

  await Promise.all(Array.from({ length: connections }, send))
  await changeWhenDue()
  await changing
  assert.equal(decided, messages)
  assert.equal(answeredAt.length, changes + 1, 'every change was made')
  assert.ok(
    decidedBy.size > changes / 2,
    `the changes fell between the messages: ${decidedBy.size} rules decided`,
  )
})

const rule = (number: number) => ({
  name: `rule ${number}`,
  connectorType: 'Partner',
  senderDomains: ['far.example'],
  requireTls: number % 2 === 1,
  onViolation: 'Defer',
})
