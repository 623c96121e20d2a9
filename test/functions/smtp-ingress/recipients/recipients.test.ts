/** An ingress that checks recipients: what the client sees, what is stored, and what is counted. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { after, afterEach, describe, test } from 'node:test'
import type { RecipientSources } from '../../../../functions/smtp-ingress/ingress.ts'
import { UnknownRecipientLimiter } from '../../../../functions/smtp-ingress/limits/unknown-recipient-limiter.ts'
import { Metrics } from '../../../../functions/smtp-ingress/metrics.ts'
import { HashSet } from '../../../../functions/smtp-ingress/recipients/hash-set.ts'
import { RecipientChecker } from '../../../../functions/smtp-ingress/recipients/recipient-checker.ts'
import {
  tooManyUnknownRecipients,
  unknownRecipient,
  unknownRecipientsLimited,
} from '../../../../functions/smtp-ingress/replies.ts'
import type { CalloutResult } from '../../../../shared/contract/recipient-callout.ts'
import { compileSnapshot } from '../../../../shared/policy/snapshot.ts'
import { inbound } from '../../../support/fixtures.ts'
import { startTestIngress, type TestIngress, Wire } from '../../../support/ingress/ingress.ts'

const running = new Set<TestIngress>()
const drainAll = async () => {
  await Promise.all([...running].map((ingress) => ingress.drain()))
  running.clear()
}
afterEach(drainAll)

const ownServers = inbound({
  connectorType: 'OnPremises',
  senderDomains: ['*'],
  senderIpAddresses: ['127.0.0.9/32'],
  requireTls: false,
})

const versions = ['01KGH3Z9A0V4RRFFQ69G5FAVXX', '01KGH3Z9A1V4RRFFQ69G5FAVXX'] as const

const listed = {
  domain: 'list.example',
  recipients: 'List',
  recipientList: { version: versions[0], addresses: 1, updatedAt: '2026-02-03T11:00:00Z' },
} as const

interface Setup {
  /** The list of list.example at each version; an Error stands for a table that fails. */
  lists?: Record<string, readonly string[] | Error>
  callout?: (address: string) => Promise<CalloutResult['result'] | 'Throttled'>
  maxErrors?: number
}

/** Starts an ingress for one test. */
async function start(setup: Setup = {}) {
  const started = await open(setup)
  running.add(started.ingress)
  return started
}

async function open({ lists = { [versions[0]]: ['anna'] }, callout, maxErrors = 20 }: Setup) {
  const current: { version: string; isChecked: boolean } = { version: versions[0], isChecked: true }
  const snapshot = () =>
    compileSnapshot({
      version: 1,
      inbound: [ownServers],
      outbound: [],
      acceptedDomains: [
        {
          ...listed,
          recipients: current.isChecked ? 'List' : 'Any',
          recipientList: { ...listed.recipientList, version: current.version },
        },
        { domain: 'callout.example', recipients: 'SmtpCallout' },
        { domain: 'any.example' },
      ],
    })
  const recipients: RecipientSources = {
    lists: {
      async *read(_domain, version) {
        const list = lists[version] ?? []
        if (list instanceof Error) throw list
        yield list
      },
    },
    async invokeCallout(address) {
      const result = (await callout?.(address)) ?? 'Exists'
      return result === 'Throttled' ? result : { result, detail: '' }
    },
  }
  const ingress = await startTestIngress({ snapshot, recipients, settings: { MAX_ERRORS: maxErrors } })
  return { ingress, current, greet: (from?: string) => Wire.greet(ingress.smtpPort, from) }
}

/** For tests that need no setup of their own. */
const shared = open({})
after(async () => (await shared).ingress.drain())

const counted = ({ lines }: TestIngress, name: string): number =>
  lines.reduce((sum, line) => sum + (typeof line[name] === 'number' ? line[name] : 0), 0)

const unknown = /^550 5\.1\.1 Recipient address does not exist$/
const accepted = /^250 2\.1\.5 /

const rows: { title: string; recipient: string; from?: string; reply: RegExp; setup?: Setup }[] = [
  { title: 'in the list', recipient: 'Anna@List.example', reply: accepted },
  { title: 'in the list, with a tag', recipient: 'anna+shop@list.example', reply: accepted },
  { title: 'not in the list', recipient: 'bert@list.example', reply: unknown },
  {
    title: 'not in the list, from an own server',
    recipient: 'bert@list.example',
    from: '127.0.0.9',
    reply: unknown,
  },
  {
    title: 'of another domain, from an own server',
    recipient: 'x@elsewhere.example',
    from: '127.0.0.9',
    reply: accepted,
  },
  { title: 'that is the postmaster of the domain', recipient: 'postmaster@list.example', reply: accepted },
  { title: 'that is the postmaster of the gateway', recipient: 'postmaster', reply: accepted },
  { title: 'of a domain that accepts any', recipient: 'bert@any.example', reply: accepted },
  { title: 'that the mailbox server knows', recipient: 'anna@callout.example', reply: accepted },
  {
    title: 'that the mailbox server does not know',
    recipient: 'bert@callout.example',
    reply: unknown,
    setup: { callout: async () => 'Unknown' },
  },
  {
    title: 'about which the mailbox server says nothing',
    recipient: 'bert@callout.example',
    reply: accepted,
    setup: { callout: async () => 'Undetermined' },
  },
  {
    title: 'that cannot be checked because the function is throttled',
    recipient: 'bert@callout.example',
    reply: /^451 4\.3\.2 /,
    setup: { callout: async () => 'Throttled' },
  },
  {
    title: 'whose check is throttled, from the own servers',
    recipient: 'bert@callout.example',
    from: '127.0.0.9',
    reply: accepted,
    setup: { callout: async () => 'Throttled' },
  },
  {
    title: 'whose list cannot be read',
    recipient: 'bert@list.example',
    reply: accepted,
    setup: { lists: { [versions[0]]: new Error('throttled') } },
  },
]
describe('recipients', { concurrency: true }, () => {
  for (const { title, recipient, from, reply, setup } of rows)
    test(`a recipient ${title} gets ${reply.source.slice(1, 4)}`, async () => {
      const { greet, ingress } = setup ? await open(setup) : await shared
      const wire = await greet(from)
      await wire.command('MAIL FROM:<a@elsewhere.example>')
      assert.match(await wire.command(`RCPT TO:<${recipient}>`), reply)
      if (setup) await ingress.drain()
    })
})

test('a message to a known and an unknown recipient is stored for the known one only', async () => {
  const { ingress, greet } = await start()
  const wire = await greet()
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  assert.match(await wire.command('RCPT TO:<bert@list.example>'), unknown)
  assert.match(await wire.command('RCPT TO:<anna@list.example>'), accepted)
  await wire.command('DATA')
  wire.write('Subject: x\r\n\r\nx\r\n')
  assert.match(await wire.command('.'), /^250 /)
  const [job] = ingress.queue.jobs
  assert.deepEqual(job && 'recipients' in job && job.recipients.map(({ address }) => address), [
    'anna@list.example',
  ])
  const refused = ingress.lines.find(({ reason }) => reason === 'UnknownRecipient')
  assert.equal(refused?.recipient, 'bert@list.example')
})

test('checks that fail are counted', async () => {
  const { ingress, greet } = await start({ callout: async () => 'Undetermined' })
  const wire = await greet()
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  for (const name of ['a', 'b', 'c']) await wire.command(`RCPT TO:<${name}@callout.example>`)
  await drainAll()
  assert.equal(counted(ingress, 'RecipientChecksFailed'), 3)
})

test('a new version of the list applies within a session, to a recipient that it adds at once', async () => {
  const { current, greet } = await start({ lists: { [versions[0]]: ['anna'], [versions[1]]: ['bert'] } })
  const wire = await greet()
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  assert.match(await wire.command('RCPT TO:<bert@list.example>'), unknown)
  current.version = versions[1]
  assert.match(await wire.command('RCPT TO:<bert@list.example>'), accepted)
  assert.match(await wire.command('RCPT TO:<anna@list.example>'), unknown)
  current.isChecked = false
  assert.match(await wire.command('RCPT TO:<carla@list.example>'), accepted)
})

test('a client that guesses recipients is refused for a minute, its sessions learn nothing more, and another client is served', async () => {
  const { ingress, greet } = await start()
  const wires = await Promise.all(Array.from({ length: 25 }, () => greet()))
  const guesses = await Promise.all(
    wires.map(async (wire, n) => {
      await wire.command('MAIL FROM:<a@elsewhere.example>')
      return wire.command(`RCPT TO:<guess${n}@list.example>`)
    }),
  )
  const limited = guesses.filter((reply) => /^4[25]1 4\.7\.0 Too many unknown recipients/.test(reply))
  assert.deepEqual([guesses.filter((reply) => unknown.test(reply)).length, limited.length], [20, 5])
  const wire = await greet()
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  for (const name of ['anna', 'guess'])
    assert.match(await wire.command(`RCPT TO:<${name}@list.example>`), /^451 4\.7\.0 Too many unknown/)
  assert.match(await wire.command('RCPT TO:<bert@any.example>'), accepted)
  const other = await greet('127.0.0.2')
  await other.command('MAIL FROM:<a@elsewhere.example>')
  assert.match(await other.command('RCPT TO:<anna@list.example>'), accepted)
  assert.equal(ingress.queue.jobs.length, 0)
})

const guessRows = [
  ['a client', '192.0.2.1', [20, 1, 4], unknownRecipientsLimited],
  ['a server that Exchange Online shares among its customers', '40.107.22.85', [25, 0, 0], null],
] as const
for (const [who, ip, counts, last] of guessRows)
  test(`of 25 guesses of ${who} in many sessions, ${counts[0]} get 550`, async () => {
    const list = await HashSet.from(Readable.from([['anna']]))
    const checker = new RecipientChecker({
      lists: { get: () => list },
      callouts: { check: () => 'Busy' },
      unknownRecipients: new UnknownRecipientLimiter(() => 0),
      metrics: new Metrics(),
      settings: {},
    })
    const snapshot = compileSnapshot({ version: 1, inbound: [], outbound: [], acceptedDomains: [listed] })
    const check = (name: string) =>
      checker.check({
        ...{ snapshot, address: `${name}@list.example`, ip },
        ...{ isOwnServer: false, isLatest: true },
      })
    const results = Array.from({ length: 25 }, (_, n) => check(`guess${n}`))
    const refusals = [unknownRecipient, tooManyUnknownRecipients, unknownRecipientsLimited]
    assert.deepEqual(
      refusals.map((refusal) => results.filter((result) => result === refusal).length),
      counts,
    )
    assert.equal(check('anna'), last)
  })

test('of a thousand pipelined guesses, those before the limit of errors are answered, and the session ends', async () => {
  const { ingress, greet } = await start({ maxErrors: 3 })
  const wire = await greet()
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  wire.write(Array.from({ length: 1000 }, (_, n) => `RCPT TO:<guess${n}@list.example>\r\n`).join(''))
  const replies: string[] = []
  for (let line = await wire.line(); line !== null; line = await wire.line()) replies.push(line)
  assert.equal(replies.filter((reply) => unknown.test(reply)).length, 3)
  assert.match(replies.at(-1) ?? '', /^421 /)
  assert.equal(ingress.queue.jobs.length, 0)
})

test('a mailbox server that hangs does not let unchecked recipients through: beyond the limit they get 451', async () => {
  const answer = Promise.withResolvers<'Undetermined'>()
  const { greet } = await start({ callout: () => answer.promise })
  const wires = await Promise.all(Array.from({ length: 5 }, () => greet()))
  for (const wire of wires) await wire.command('MAIL FROM:<a@elsewhere.example>')
  for (const [n, wire] of wires.slice(0, 4).entries()) wire.write(`RCPT TO:<n${n}@callout.example>\r\n`)
  // The first four have arrived when a later command of another session is answered.
  await wires[4]?.command('NOOP')
  const reply = await wires[4]?.command('RCPT TO:<n4@callout.example>')
  assert.match(reply ?? '', /^451 4\.3\.2 Too many recipients are being checked/)
  answer.resolve('Undetermined')
})

test('of mail in a victim’s name to recipients that do not exist, no octet reaches the victim', async () => {
  const { ingress, greet } = await start()
  const send = async (domain: string) => {
    const wire = await greet()
    await wire.command('MAIL FROM:<a@victim.example>')
    const replies: string[] = []
    for (const name of ['x', 'y']) replies.push(await wire.command(`RCPT TO:<${name}@${domain}>`))
    return [...replies, await wire.command('DATA')].map((reply) => reply.slice(0, 3))
  }
  assert.deepEqual(await send('list.example'), ['550', '550', '503'])
  assert.equal(ingress.queue.jobs.length, 0)
  assert.deepEqual(await send('any.example'), ['250', '250', '354'], 'as without a check')
})
