/** A summary end to end: mail is counted, and the summary of the day arrives at a mailbox with the numbers of the reports. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Report } from '../../shared/event-queries/reports/report-schemas.ts'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import {
  Api,
  messageIdIn,
  type RunnerProcess,
  sendMessage,
  startRunner,
  waitForResult,
} from '../support/local/runner.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-test-'))
const settings = join(folder, 'settings.json')
const summaries = { from: 'mailflow@ours.example', daily: ['postmaster@ours.example'] }
writeFileSync(settings, JSON.stringify({ summaries }))
const zone = { names: { 'relay.hub.example': { A: ['127.0.0.1'] } } }

let mailbox: Partner
let runner: RunnerProcess
let api: Api

before(
  async () => {
    mailbox = await startPartner({
      answer: (command) => (/^RCPT TO:<nobody@/i.test(command) ? '550 5.1.1 No such mailbox' : undefined),
    })
    runner = await startRunner(zone, ['--no-demo', '--settings', settings])
    api = new Api(runner.endpoints)
    await setUpMailboxServer(api, { host: 'relay.hub.example', port: mailbox.port }, { tlsSettings: null })
  },
  { timeout: 120_000 },
)

after(async () => {
  await mailbox?.stop()
  rmSync(folder, { recursive: true })
  assert.equal(await runner?.stop(), 0, 'SIGTERM is a clean stop')
})

const dateOf = (at: number) => new Date(at).toISOString().slice(0, 10)

type Rows = Report['rows']

/** Returns the rows of a report about one day. */
async function report(name: string, day: string): Promise<Rows> {
  const next = dateOf(Date.parse(day) + 24 * 3_600_000)
  const span = `from=${day}T00:00:00Z&to=${next}T00:00:00Z`
  return (await api.call<Report>('GET', `/reports/${name}?${span}`)).rows
}

const sum = (rows: Rows, ...names: string[]) =>
  rows.flatMap((row) => names.map((name) => Number(row[name]))).reduce((all, each) => all + each, 0)

test('the summary of a day arrives at its mailbox, with the numbers of the reports', {
  timeout: 90_000,
}, async () => {
  const content = (from: string) => `From: <${from}>\r\nSubject: x\r\n\r\nbody\r\n`
  const send = async (from: string, to: string, state: string) => {
    const reply = await sendMessage(runner.endpoints, from, to, content(from))
    await api.settled(messageIdIn(reply), [state])
  }
  await send('a@bank.example', 'ann@ours.example', 'Delivered')
  await send('b@bank.example', 'ann@ours.example', 'Delivered')
  await send('c@paper.example', 'bob@ours.example', 'Delivered')
  await send('', 'nobody@ours.example', 'Bounced')

  // The functions send the events before they acknowledge; then the queue must deliver them.
  const day = dateOf(Date.now())
  const { tls, bounced, inTransit } = await waitForResult(async () => {
    const reports = {
      tls: await report('connector-tls', day),
      bounced: await report('non-delivery', day),
      inTransit: await report('in-transit', day),
    }
    const all = ['inClear', 'tls12', 'tls13', 'unknown']
    return sum(reports.tls, ...all) === 7 && sum(reports.bounced, 'count') === 1 ? reports : null
  })
  const name = runner.endpoints.functions.find((candidate) => candidate.startsWith('SummaryFunction'))
  const response = await fetch(`${runner.endpoints.lambda}/2015-03-31/functions/${name}/invocations`, {
    method: 'POST',
    body: JSON.stringify({ day, unfinished: true }),
  })
  assert.equal(response.headers.get('x-amz-function-error'), null)
  assert.deepEqual(await response.json(), { sent: 1, claimedElsewhere: 0, waiting: 0, failed: 0 })

  const { mail, content: octets } = await waitForResult(async () => {
    const found = mailbox.received.find(({ recipients }) => recipients.join().includes('postmaster@'))
    return found ?? null
  })
  assert.match(mail, /^MAIL FROM:<>/i)
  const text = octets.toString()
  assert.match(text, new RegExp(`^Subject: mailflow: day ${day}, .*\\r$`, 'm'))
  assert.match(text, /^From: mailflow <mailflow@ours\.example>\r$/m)
  assert.match(text, /^Auto-Submitted: auto-generated\r$/im)

  const numberOf = (label: string, section = '') => {
    const start = text.indexOf(section)
    return Number(new RegExp(`^ *${label} +(\\d+)`, 'm').exec(text.slice(start))?.[1])
  }
  const [inbound, outbound] = ['Inbound', 'Outbound'].map((direction) =>
    tls.filter((row) => row.direction === direction),
  ) as [Rows, Rows]
  const sessions = ['inClear', 'tls12', 'tls13', 'unknown']
  assert.deepEqual(
    [numberOf('Accepted'), numberOf('Delivered'), numberOf('Bounced'), numberOf('Refused in session')],
    [sum(inbound, ...sessions), sum(outbound, ...sessions), sum(bounced, 'count'), 0],
  )
  const clear = 'In the clear'
  assert.deepEqual(
    [numberOf('Inbound', clear), numberOf('Outbound', clear)],
    [sum(inbound, 'inClear'), sum(outbound, 'inClear')],
  )
  for (const { direction, domain, sent } of inTransit.filter(
    (row) => row.tls === 'None' && Number(row.sent) > 0,
  ))
    assert.match(text, new RegExp(`^ +${sent} +${direction} +${domain ?? '\\(none\\)'}\\r$`, 'm'))
  assert.match(text, /^ +1 +550 5\.1\.1 +/m)
  assert.match(text, /^Numbers from .* on may still grow: not every hour is sealed\.\r$/m)
  assert.match(text, /^No mail waits now\.\r$/m)
})
