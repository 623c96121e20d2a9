/** Tests `queues` and its requests. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { encodeTime } from 'ulid'
import { Trace } from '../../shared/messages/trace.ts'
import type { Verdict } from '../../shared/policy/evaluate.ts'
import { assertFitsTerminal } from '../support/cli/fits-terminal.ts'
import {
  type CommandOptions,
  type HttpApi,
  mailflow,
  startAnsweringServer,
  startApi,
} from '../support/cli/mailflow.ts'
import { emptyTable } from '../support/dynamodb.ts'
import { circumstances, message, recipient } from '../support/fixtures.ts'

let api: HttpApi
let bank: string
const now = Date.parse('2026-02-03T12:00:00.000Z')
const hour = 3_600_000
const deleted = '01KGH3Z00000000000000000DD'

before(async () => {
  api = await startApi(() => now)
  const json = { name: 'The bank', connectorType: 'Partner', senderDomains: ['bank.example'] }
  bank = (await api.call('POST /inbound-connectors', { json })).body.id
  for (const [path, domains] of [
    ['inbound', 'senderDomains'],
    ['outbound', 'recipientDomains'],
  ])
    await api.call(`POST /${path}-connectors`, {
      json: { name: 'Twice', connectorType: 'Partner', [domains as string]: ['twice.example'] },
    })
})
after(() => api.stop())
beforeEach(async () => {
  await emptyTable(api.database, api.database.messagesTable)
  api.evaluation.take()
  api.events.take()
  api.requests.length = 0
})

let serial = 0

async function waits(hoursAgo: number, recipients: Record<string, Partial<Verdict>>): Promise<string> {
  const at = now - hoursAgo * hour
  const id = `${encodeTime(at, 10)}${String(serial++).padStart(16, '0')}`
  const mail = message({ id, receivedAt: new Date(at).toISOString(), mailFrom: 'a@bank.example' })
  const trace = new Trace(api.database.documents, api.database.messagesTable)
  await trace.recordMessage(mail, circumstances.at, 90)
  for (const [address, fields] of Object.entries(recipients)) {
    const verdict = {
      action: 'Defer',
      recipient: recipient({ address }),
      reason: 'InboundTlsRequired',
      explanation: '',
      connectors: { inbound: bank, outbound: null },
      decidedBy: null,
      lowered: [],
      newRequirement: null,
      reportOnly: null,
      reply: { code: 451, enhanced: '4.7.10', text: 'Encryption needed' },
      until: new Date(now + 600_000),
      expiresAt: new Date(at + 24 * hour),
      notifyDelay: false,
      ...fields,
    } as Verdict
    await trace.recordVerdict(mail, verdict, circumstances, 4_000_000_000)
  }
  return id
}

const forNextHop: Partial<Verdict> = {
  reason: 'RetryLater',
  connectors: { inbound: null, outbound: deleted },
}

const run = (args: readonly string[], options: CommandOptions = {}) =>
  mailflow(['queues', ...args], { env: { MAILFLOW_API: api.url }, now: () => now, ...options })
const answering = (answer: string, questions: string[] = []): CommandOptions => ({
  async prompt(question) {
    questions.push(question)
    return answer
  },
})
const jobs = () => api.evaluation.take().flatMap(({ job }) => job.recipients.map(({ address }) => address))

describe('`queues`', () => {
  test('says that no mail waits', async () => {
    assert.deepEqual(await run([]), { status: 0, out: 'No mail waits.\n', err: '' })
    assert.deepEqual(JSON.parse((await run(['--json'])).out), { items: [], omitted: 0, complete: true })
  })

  test('prints a row for each group, with the name of the connector, or the id of a deleted one', async () => {
    const held = await waits(2, { 'b@ours.example': {}, 'c@ours.example': {} })
    const failed = await waits(1, { 'b@northwind.example': forNextHop })
    const { status, out } = await run([])
    assert.equal(status, 0)
    assert.deepEqual(
      out.split('\n').map((line) => line.split(/ {2,}/)),
      [
        [
          ...['Expires', 'Partner', 'Direction', 'Reason', 'Connector', 'Messages', 'Recipients', 'Octets'],
          ...['Oldest', 'Next attempt', 'First message'],
        ],
        [
          ...['2026-02-04 10:00:00Z', 'bank.example', 'Incoming', 'InboundTlsRequired', 'The bank'],
          ...['1', '2', '1000', '2026-02-03 10:00:00Z', '2026-02-03 12:10:00Z', held],
        ],
        [
          ...['2026-02-04 11:00:00Z', 'northwind.example', 'Incoming', 'RetryLater', deleted],
          ...['1', '1', '1000', '2026-02-03 11:00:00Z', '2026-02-03 12:10:00Z', failed],
        ],
        [''],
      ],
    )
    await assertFitsTerminal(['queues'], { env: { MAILFLOW_API: api.url } }, ['InboundTlsRequired', held])
    assert.equal(JSON.parse((await run(['--json'])).out).items[0].samples[0], held)
  })

  test('filters', async () => {
    await waits(2, { 'b@ours.example': {} })
    await waits(1, { 'b@northwind.example': forNextHop })
    await waits(1, {
      'b@ours.example': {
        reason: 'NoRouteForAcceptedDomain',
        connectors: { inbound: null, outbound: null },
      },
    })
    for (const [args, reason] of [
      [['--partner', 'bank.example'], 'InboundTlsRequired'],
      [['--connector', 'the BANK'], 'InboundTlsRequired'],
      [['--connector', deleted.toLowerCase()], 'RetryLater'],
      [['--reason', 'retrylater', '--direction', 'incoming'], 'RetryLater'],
      [['--connector', 'none'], 'NoRouteForAcceptedDomain'],
    ] as const)
      assert.deepEqual(
        JSON.parse((await run([...args, '--json'])).out).items.map((each: { reason: string }) => each.reason),
        [reason],
        args.join(' '),
      )
  })

  test('says when the list is not complete', async () => {
    const { url, stop } = await startAnsweringServer(() => ({
      body: JSON.stringify({ items: [], omitted: 2, complete: false }),
    }))
    const { err } = await run([], { env: { MAILFLOW_API: url } })
    stop()
    assert.equal(
      err,
      'Not listed: 2 groups. Use the options to select.\nThe search ran out of time: more mail waits than these numbers say.\n',
    )
  })

  const wrong: [args: string[], status: number, err: RegExp][] = [
    [['--reason', 'Later'], 2, /^mailflow: --reason Later: not one of InboundTlsRequired, /],
    [['--direction', 'in'], 2, /^mailflow: --direction in: not one of Originating, Incoming\n/],
    [['--connector', 'Nowhere'], 1, /^mailflow: no connector "Nowhere"\n/],
    [['--connector', 'twice'], 1, /^mailflow: an inbound and an outbound connector have the name "twice"; /],
    [['--partner', 'a b'], 1, /^mailflow: --partner: "a b" is not a domain\n/],
  ]
  for (const [args, expected, text] of wrong)
    test(`${args.join(' ')} ends with an error`, async () => {
      const { status, err } = await run(args)
      assert.equal(status, expected)
      assert.match(err, text)
    })
})

const acts = [
  ['retry', [], null],
  ['release', ['--because', 'the bank called'], 'Deliver, despite the violation, '],
  ['return', [], 'Bounce '],
  ['drop', ['--because', 'spam'], 'Bounce, without a DSN, '],
] as const

for (const [act, because, question] of acts)
  describe(`\`queues ${act}\``, () => {
    const request = (args: readonly string[], options?: CommandOptions) =>
      run([act, ...args, ...because], options)

    test('of one message requests it without a question', async () => {
      const id = await waits(1, { 'b@ours.example': {} })
      const { status, out, err } = await request([id.toLowerCase()])
      assert.deepEqual([status, out, err], [0, `Requested a ${act} for 1 recipient of 1 message.\n`, ''])
      assert.deepEqual(jobs(), ['b@ours.example'])
      const [event] = api.events.take()
      assert.deepEqual(
        [event?.request?.toLowerCase(), event?.comment, event?.messageId],
        [act, because[1], id],
      )
    })

    test('of all mail that matches asks before more than one message, unless it does no harm', async () => {
      for (const hours of [1, 2]) await waits(hours, { 'b@ours.example': {}, 'c@ours.example': {} })
      await waits(1, { 'b@northwind.example': forNextHop })
      const questions: string[] = []
      const filter = ['--partner', 'bank.example', '--reason', 'InboundTlsRequired']
      const refused = await request(filter, answering('no', questions))
      const expected =
        question === null
          ? []
          : [
              `${question}the mail of 4 recipients (partner bank.example, reason InboundTlsRequired)? Type yes: `,
            ]
      assert.deepEqual([questions, refused.status], [expected, question === null ? 0 : 1])
      if (question === null) return
      assert.deepEqual(jobs(), [])
      assert.match((await request(filter)).err, /\? Without a terminal, give --yes\. Nothing was written\n$/)
      for (const [args, options] of [
        [filter, answering('yes')],
        [[...filter, '--yes'], {}],
      ] as const) {
        const { status, out } = await request(args, options)
        assert.deepEqual([status, out], [0, `Requested a ${act} for 4 recipients of 2 messages.\n`])
        assert.equal(jobs().length, 4)
      }
    })

    test('of several ids asks, and names those to which it does not apply', async () => {
      const [one, settled] = [
        await waits(1, { 'b@ours.example': {} }),
        await waits(1, { 'b@ours.example': { action: 'Bounce' } }),
      ]
      const questions: string[] = []
      const { status, out, err } = await request([one, settled], answering('yes', questions))
      assert.deepEqual(questions, question === null ? [] : [`${question}2 messages? Type yes: `])
      assert.deepEqual(
        [status, out, err],
        [
          0,
          `Requested a ${act} for 1 recipient of 1 message.\n`,
          `${settled}: No recipient is deferred, so there is nothing to ${act}.\n`,
        ],
      )
    })

    test('ends with an error when it applies to none of the ids', async () => {
      const { status, err } = await request([deleted])
      assert.deepEqual(
        [status, err],
        [
          1,
          `mailflow: Conflict: The request applies to no message: There is no such message.\n  ${deleted}: There is no such message.\n`,
        ],
      )
    })

    test('is in the trace of the message, with the administrator and the reason', async () => {
      const id = await waits(1, { 'b@ours.example': {} })
      await request([id])
      const { out } = await api.mailflow('messages', id)
      const label = { retry: null, release: 'Released  ', return: 'Returned  ', drop: 'Dropped   ' }[act]
      const text = `  ${label} by arn:aws:iam::123456789012:user/administrator at 2026-02-03 12:00:00Z\n`
      const lines = because.length === 0 ? text : `${text}             ${because[1]}\n`
      assert.equal(out.includes(lines), label !== null, out)
    })

    test('of mail that nothing matches says so', async () => {
      const { status, out } = await request(['--partner', 'nowhere.example', '--yes'])
      assert.deepEqual([status, out], [0, `No mail was found to ${act}.\n`])
    })

    test('prints JSON', async () => {
      const id = await waits(1, { 'b@ours.example': {} })
      assert.deepEqual(JSON.parse((await request([id, '--json'])).out), {
        ...{ requested: 1, messages: 1 },
        skipped: [],
      })
    })

    test('continues with the cursor of the response until a response has none', async () => {
      const requests: string[] = []
      const { url, stop } = await startAnsweringServer(({ method, url: target = '' }) => {
        requests.push(`${method} ${target}`)
        const nextCursor = requests.length < 3 ? `c${requests.length}` : null
        return { body: JSON.stringify({ requested: 100, messages: 60, nextCursor, skipped: [] }) }
      })
      const { out } = await request(['--partner', 'bank.example', '--yes'], { env: { MAILFLOW_API: url } })
      stop()
      const path = `POST /queues/${act}`
      assert.deepEqual(requests, [path, `${path}?cursor=c1`, `${path}?cursor=c2`])
      assert.equal(out, `Requested a ${act} for 300 recipients of 180 messages.\n`)
    })

    for (const args of [[], [deleted, '--partner', 'bank.example']])
      test(`needs either ids or options: ${args.join(' ')}`, async () => {
        const { status, err } = await request(args)
        assert.equal(status, 2)
        assert.match(err, new RegExp(`^mailflow: queues ${act} needs either message ids, or --partner`))
      })

    if (because.length > 0)
      test('needs a reason', async () => {
        const { status, err } = await run([act, deleted])
        assert.equal(status, 2)
        assert.match(err, new RegExp(`^mailflow: queues ${act} needs --because TEXT\n`))
      })
  })
