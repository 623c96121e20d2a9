import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { assertFitsTerminal } from '../support/cli/fits-terminal.ts'
import { type CommandOptions, type HttpApi, mailflow, startApi } from '../support/cli/mailflow.ts'
import {
  bounceJob,
  type DeadLetterSetup,
  deliveryJob,
  evaluationJob,
  startDeadLetters,
} from '../support/dead-letters.ts'
import { message, recipient } from '../support/fixtures.ts'

let setup: DeadLetterSetup
let api: HttpApi
const ulid = '01KF0CVZT0ABCDEFGHJKMNPQRS'
const otherUlid = '01KF0CVZT0ABCDEFGHJKMNPQRT'

before(async () => {
  setup = await startDeadLetters()
  api = await startApi(Date.now, setup.dependencies)
})
after(async () => {
  await api.stop()
  await setup.stop()
})
beforeEach(() => {
  setup.clear()
  setup.intercept.before = null
  api.requests.length = 0
})

const run = (args: readonly string[], options: CommandOptions = {}) =>
  mailflow(['redrive', ...args], { env: { MAILFLOW_API: api.url }, ...options })
const answering = (answer: string, questions: string[] = []): CommandOptions => ({
  async prompt(question) {
    questions.push(question)
    return answer
  },
})
const redrives = () => api.requests.filter((request) => request.startsWith('POST ')).length

describe('`redrive`', () => {
  test('says that there are no dead letters', async () => {
    for (const args of [[], ['--send'], ['--send', '--yes']])
      assert.deepEqual(await run(args), { status: 0, out: 'No dead letters found.\n', err: '' })
    assert.deepEqual(await run(['--json']), { status: 0, out: '[]\n', err: '' })
    assert.equal(redrives(), 0)
  })

  test('lists the dead letters in columns and sends nothing', async () => {
    const seven = Array.from({ length: 7 }, (_, index) => recipient({ address: `r${index}@ours.example` }))
    await setup.put('LowPriorityDelivery', {
      ...deliveryJob(),
      message: message({ mailFrom: '' }),
      recipients: seven,
    })
    await setup.put('Evaluation', 'no job', { reason: 'Not a job\nforged line' })
    const { status, out, err } = await run([])
    const lines = out
      .split('\n')
      .map((line) => line.replaceAll(/ {2,}/g, '|').replace(/^\d\S+ [\d:]+Z/, 'TIME'))
    assert.deepEqual([status, err], [0, ''])
    assert.deepEqual(
      [lines[0], ...lines.slice(1).sort()],
      [
        'Sent|Queue|Message|Readable|From|To|Reason',
        '',
        'TIME|Evaluation|–|no|–|–|Not a job forged line',
        `TIME|LowPriorityDelivery|${ulid}|yes|<>|r0@ours.example, r1@ours.example, r2@ours.example, r3@ours.example, r4@ours.example and 2 more|Received 1 time without success`,
      ],
    )
    assert.equal(redrives(), 0)
    assert.deepEqual(setup.jobsOf('LowPriorityDelivery'), [])
  })

  test('fits its list to the terminal, with the whole id and a usual reason', async () => {
    const reason = 'The record is not a job of this queue: message.id (too_small)'
    await setup.put('LowPriorityDelivery', deliveryJob(), { reason })
    await setup.put('Evaluation', deliveryJob(), { reason: 'x'.repeat(1000) })
    await assertFitsTerminal(['redrive'], { env: { MAILFLOW_API: api.url } }, [ulid, reason])
  })

  test('prints the list as JSON', async () => {
    const id = await setup.put('Bounce', bounceJob())
    const [letter] = JSON.parse((await run(['--json'])).out)
    assert.deepEqual(
      [letter.queue, letter.id, letter.kind, letter.attempt],
      ['Bounce', id, 'BounceJob', null],
    )
  })

  test('lists at most --limit dead letters, and says that there may be more', async () => {
    for (let index = 0; index < 3; index++) await setup.put('Evaluation', evaluationJob())
    const { out, err } = await run(['--limit', '2', '--json'])
    assert.deepEqual([JSON.parse(out).length, err], [2, 'There may be more dead letters: use --limit N.\n'])
  })

  const filterRows: [args: string[], found: number[]][] = [
    [['--queue', 'bounce'], [1]],
    [['--reason', 'TWICE'], [0]],
    [['--message', otherUlid.toLowerCase()], [2]],
    [['--message', ulid, '--queue', 'Evaluation'], [0]],
    [['--older-than', '1h'], []],
    [
      ['--older-than', '2100-01-01'],
      [0, 1, 2],
    ],
  ]
  for (const [args, found] of filterRows)
    test(`finds dead letters by ${args.join(' ')}`, async () => {
      const ids = [
        await setup.put('Evaluation', evaluationJob(), { reason: 'received twice' }),
        await setup.put('Bounce', bounceJob()),
        await setup.put('Evaluation', { ...evaluationJob(), message: message({ id: otherUlid }) }),
      ]
      const letters: { id: string }[] = JSON.parse((await run([...args, '--json'])).out)
      assert.deepEqual(letters.map(({ id }) => ids.indexOf(id)).sort(), found)
      const sent = JSON.parse((await run([...args, '--json', '--send', '--yes'])).out)
      assert.equal(sent.redriven, found.length)
    })

  const wrong: [args: string[], error: RegExp][] = [
    [['--queue', 'mail'], /--queue mail: not a queue; the queues are Evaluation, Authentication, Delivery/],
    [['--limit', '1001'], /--limit 1001: not a number from 1 to 1000/],
    [['--older-than', 'yesterday'], /--older-than yesterday: not a time/],
    [['--force'], /--force has no effect without --send/],
    [['01KF0CVZT0ABCDEFGHJKMNPQRS'], /too many arguments/],
  ]
  for (const [args, error] of wrong)
    test(`refuses ${args.join(' ')}`, async () => {
      const { status, err } = await run(args)
      assert.equal(status, 2)
      assert.match(err, error)
      assert.deepEqual(api.requests, [])
    })
})

describe('`redrive --send`', () => {
  test('lists, asks with the number and the effect, then sends', async () => {
    await setup.put('Evaluation', evaluationJob())
    await setup.put('Delivery', deliveryJob())
    const questions: string[] = []
    const { status, out, err } = await run(['--send'], answering('yes', questions))
    assert.deepEqual(questions, [
      'Send 2 dead letters to the source queues, so that the mail is evaluated, delivered or returned now? Type yes: ',
    ])
    assert.match(out, /^Sent +Queue .*\n(.*\n){2}Sent 2 dead letters to the source queues\.\n$/)
    assert.deepEqual([status, err], [0, ''])
    assert.deepEqual([setup.jobsOf('Evaluation').length, setup.jobsOf('Delivery').length], [1, 1])
  })

  test('sends nothing without a yes, or without a terminal and --yes', async () => {
    await setup.put('Evaluation', evaluationJob())
    const declined = await run(['--send'], answering('no'))
    assert.deepEqual([declined.status, declined.err], [1, 'mailflow: "no" is not yes. Nothing was written\n'])
    const unasked = await run(['--send'])
    assert.equal(unasked.status, 1)
    assert.match(unasked.err, /Without a terminal, give --yes/)
    assert.equal(redrives(), 0)
  })

  test('keeps unreadable dead letters and says so, unless --force', async () => {
    await setup.put('Evaluation', evaluationJob())
    await setup.put('Evaluation', 'no job')
    const questions: string[] = []
    const sent = await run(['--send'], answering('yes', questions))
    assert.match(questions[0] ?? '', /^Send 1 dead letter to the source queues/)
    assert.match(sent.out, /\nSent 1 dead letter to the source queues\.\n$/)
    assert.deepEqual(
      [sent.status, sent.err],
      [0, '1 dead letter cannot be read and stayed; --force sends them too.\n'],
    )
    const forced = await run(['--send', '--force', '--yes'])
    assert.deepEqual([forced.status, forced.err], [0, ''])
    assert.equal(setup.jobsOf('Evaluation').length, 2)
  })

  test('does not ask when no dead letter can be read', async () => {
    await setup.put('Evaluation', 'no job')
    const { status, err } = await run(['--send'])
    assert.deepEqual([status, err], [0, '1 dead letter cannot be read and stayed; --force sends them too.\n'])
  })

  test('sends at most --limit dead letters', async () => {
    for (let index = 0; index < 5; index++) await setup.put('Evaluation', evaluationJob())
    const questions: string[] = []
    const { out } = await run(['--send', '--limit', '2'], answering('yes', questions))
    assert.match(questions[0] ?? '', /^Send at most 2 dead letters/)
    assert.match(out, /Sent 2 dead letters/)
    assert.equal(setup.jobsOf('Evaluation').length, 2)
  })

  test('repeats the request until 1,200 dead letters are sent', async () => {
    await Promise.all(Array.from({ length: 1200 }, () => setup.put('Evaluation', evaluationJob())))
    const questions: string[] = []
    const { status, out, err } = await run(['--send'], answering('yes', questions))
    assert.match(questions[0] ?? '', /^Send 100 or more dead letters/)
    assert.match(out, /\nSent 1200 dead letters to the source queues\.\n$/)
    assert.deepEqual([status, err, redrives()], [0, '', 2])
  })

  test('does not send a job again that becomes a dead letter again meanwhile', async () => {
    await setup.put('Evaluation', 'no job')
    let sends = 0
    setup.intercept.before = async (name) => {
      if (name === 'SendMessageBatchCommand' && sends++ < 3) await setup.put('Evaluation', 'no job')
      return undefined
    }
    const { status, out } = await run(['--send', '--yes', '--force', '--json'])
    assert.deepEqual([status, JSON.parse(out).redriven], [0, 1])
    assert.equal(setup.deadLettersOf('Evaluation').ids.length, 1)
  })

  const failures: [command: string, counts: object, note: string][] = [
    [
      'SendMessageBatchCommand',
      { redriven: 0, failed: 1 },
      '1 dead letter could not be sent and stayed; the log of connector-api has the reason.\n',
    ],
    [
      'DeleteMessageBatchCommand',
      { redriven: 1, notDeleted: 1 },
      '1 dead letter could not be deleted after sending; to send them again does no harm.\n',
    ],
  ]
  for (const [command, counts, note] of failures)
    test(`fails and says what stayed when ${command} fails`, async () => {
      await setup.put('Evaluation', evaluationJob())
      setup.intercept.before = (name) => {
        if (name === command) throw new Error('away')
        return undefined
      }
      const { status, out, err } = await run(['--send', '--yes', '--json'])
      assert.deepEqual([status, err], [1, note])
      const all = { redriven: 0, notDeleted: 0, failed: 0, skipped: 0, truncated: false }
      assert.deepEqual(JSON.parse(out), { ...all, ...counts })
    })
})
