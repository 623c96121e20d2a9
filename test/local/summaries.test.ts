/** A summary end to end: mail is sent and counted, and the summary arrives at its mailboxes with the numbers of that mail. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Report } from '../../shared/event-queries/reports/report-schemas.ts'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import {
  Api,
  type ClientTls,
  messageIdIn,
  type RunnerProcess,
  sendMessage,
  startRunner,
  waitForResult,
} from '../support/local/runner.ts'
import { type Partner, type Received, startPartner } from '../support/smtp-partner.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-test-'))
const settings = join(folder, 'settings.json')
const summaries = {
  from: 'mailflow@ours.example',
  daily: ['postmaster@ours.example', 'ops@provider.example'],
}
writeFileSync(settings, JSON.stringify({ summaries }))

let mailbox: Partner
let provider: Partner
let runner: RunnerProcess
let api: Api

before(
  async () => {
    mailbox = await startPartner({
      answer: (command) => (/^RCPT TO:<missing@/i.test(command) ? '550 5.1.1 No such mailbox' : undefined),
    })
    provider = await startPartner()
    runner = await startRunner({ names: {}, ports: {} }, ['--no-demo', '--settings', settings])
    api = new Api(runner.endpoints)
    await setUpMailboxServer(api, { port: mailbox.port }, { tlsSettings: null })
    await api.create('outbound', {
      name: 'provider',
      connectorType: 'Partner',
      recipientDomains: ['provider.example'],
      route: 'SmartHosts',
      smartHosts: [{ host: '127.0.0.1', port: provider.port }],
      tlsSettings: null,
    })
  },
  { timeout: 120_000 },
)

after(async () => {
  await Promise.all([mailbox?.stop(), provider?.stop()])
  rmSync(folder, { recursive: true })
  assert.equal(await runner?.stop(), 0, 'SIGTERM is a clean stop')
})

const dateOf = (at: number) => new Date(at).toISOString().slice(0, 10)
const dayMs = 24 * 3_600_000

/** Sends a message and returns the reply. */
const send = (from: string, to: string, tls?: ClientTls) =>
  sendMessage(runner.endpoints, from, to, `From: <${from}>\r\nSubject: x\r\n\r\nbody\r\n`, tls)

/** Returns the sum of columns of a report about today. */
async function counted(name: string, ...columns: string[]): Promise<number> {
  const span = `from=${dateOf(Date.now())}T00:00:00Z&to=${dateOf(Date.now() + dayMs)}T00:00:00Z`
  const { rows } = await api.call<Report>('GET', `/reports/${name}?${span}`)
  return rows.flatMap((row) => columns.map((column) => Number(row[column]))).reduce((a, b) => a + b, 0)
}

/** The functions send the events before they acknowledge their jobs; record-events stores them later. */
const waitForEvents = (sessions: number) =>
  waitForResult(async () => {
    const counts = [
      await counted('connector-tls', 'inClear', 'tls12', 'tls13', 'unknown'),
      await counted('rejected', 'count'),
      await counted('non-delivery', 'count'),
    ]
    return counts.join() === `${sessions},1,1` ? counts : null
  })

async function invoke(event: object): Promise<unknown> {
  const name = runner.endpoints.functions.find((candidate) => candidate.startsWith('SummaryFunction'))
  const url = `${runner.endpoints.lambda}/2015-03-31/functions/${name}/invocations`
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(event) })
  assert.equal(response.headers.get('x-amz-function-error'), null)
  return response.json()
}
const run = (fields: object) => ({ sent: 0, alreadySent: 0, waiting: 0, failed: 0, ...fields })

const summariesAt = (server: Partner) => server.received.filter(({ mail }) => /^MAIL FROM:<>/i.test(mail))
const waitForSummaries = (server: Partner, count: number): Promise<Received[]> =>
  waitForResult(() => (summariesAt(server).length >= count ? summariesAt(server) : null))

test('the summary of a day arrives at its mailboxes, with the numbers of the mail that was sent', {
  timeout: 90_000,
}, async () => {
  const today = dateOf(Date.now())
  const replies = [
    await send('a@bank.example', 'ann@ours.example'),
    await send('b@paper.example', 'ann@ours.example', { minVersion: 'TLSv1.3' }),
    await send('', 'missing@ours.example', { maxVersion: 'TLSv1.2' }),
  ]
  for (const reply of replies) await api.settled(messageIdIn(reply), ['Delivered', 'Bounced'])
  assert.match(await send('c@bank.example', 'ann@elsewhere.example'), /^5/)
  await waitForEvents(5)
  assert.deepEqual(await invoke({ day: today, unfinished: true }), run({ sent: 2 }))

  const [received] = await waitForSummaries(mailbox, 1)
  assert.deepEqual(received?.recipients, ['RCPT TO:<postmaster@ours.example>'])
  const text = String(received?.content).replaceAll('\r\n', '\n')
  assert.match(text, /^From: mailflow <mailflow@ours\.example>\n/)
  for (const line of [
    'To: postmaster@ours.example',
    `Subject: mailflow: day ${today}, `,
    'Auto-Submitted: auto-generated',
    `Mail of ${today} (UTC) at `,
    'Numbers from ',
    'Accepted            3  messages from clients',
    'Delivered           2  recipients',
    'Bounced             1  recipients',
    'Refused in session  1  times',
    '  Inbound   1  of 3',
    '  Outbound  2  of 2',
    '  1  Inbound   bank.example',
    '  in the clear              1         2',
    '  TLSv1.2                   1         0',
    '  TLSv1.3                   1         0',
    '  1  RelayDenied',
    '  1  550 5.1.1  ',
    'No mail waits now.',
  ])
    assert.ok(text.includes(`\n${line}`), `${line}\n\n${text}`)

  const [outside] = await waitForSummaries(provider, 1)
  assert.match(String(outside?.content), /^To: ops@provider\.example\r$/m)

  // The summary itself is delivered mail.
  await waitForEvents(7)
})

test('a finished day without mail has a summary, which a second run does not send again', {
  timeout: 90_000,
}, async () => {
  const yesterday = { day: dateOf(Date.now() - dayMs) }
  const [earlier, earlierOutside] = [summariesAt(mailbox).length, summariesAt(provider).length]
  assert.deepEqual(await invoke(yesterday), run({ sent: 2 }))
  assert.deepEqual(await invoke(yesterday), run({ alreadySent: 2 }))
  const received = [
    ...(await waitForSummaries(mailbox, earlier + 1)).slice(earlier),
    ...(await waitForSummaries(provider, earlierOutside + 1)).slice(earlierOutside),
  ]
  assert.equal(received.length, 2)
  for (const { content } of received) assert.match(String(content), /^Delivered +0 {2}recipients/m)
})
