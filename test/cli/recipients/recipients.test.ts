/** The commands for the recipients of accepted domains, against the API. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { type HttpApi, mailflow, startApi } from '../../support/cli/mailflow.ts'

let api: HttpApi
const folder = mkdtempSync(join(tmpdir(), 'mailflow-recipients-'))
before(async () => {
  api = await startApi()
})
after(async () => {
  await api.stop()
  rmSync(folder, { recursive: true })
})

const addresses = (count: number) => Array.from({ length: count }, (_, n) => `user${n}@ours.example`)

beforeEach(async () => {
  await api.clear()
  await api.call('PUT /accepted-domains/ours.example', { json: {} })
  await api.call('PUT /accepted-domains/ours.example/recipients', {
    json: { addresses: addresses(20) },
    headers: { 'if-match': '*' },
  })
  api.requests.length = 0
})

const writes = () => api.requests.filter((request) => !request.startsWith('GET')).length

function fileOf(lines: readonly string[]): string {
  const file = join(folder, 'recipients.txt')
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}

test('recipients set counts the differences and writes the list, and recipients list prints it', async () => {
  const file = fileOf([...addresses(19), 'new'])
  const dryRun = await api.mailflow('recipients', 'set', 'Ours.example', '-f', file, '--dry-run')
  assert.deepEqual([dryRun.status, writes()], [3, 0])
  assert.match(dryRun.out, /^ours\.example: 1 added, 1 removed; 20 before, 20 after\.$/m)
  const set = await api.mailflow('recipients', 'set', 'ours.example', '-f', file)
  assert.deepEqual([set.status, writes()], [0, 1])
  assert.match(set.err, /recipients of ours\.example is Any, so the list has no effect.*domains set/)
  const list = await api.mailflow('recipients', 'list', 'ours.example')
  assert.deepEqual(list.out.split('\n').filter(Boolean).length, 20)
  assert.match(list.out, /^new@ours\.example$/m)
  const again = await api.mailflow('recipients', 'set', 'ours.example', '-f', file)
  assert.match(again.out, /no differences/)
  assert.equal(writes(), 1)
})

test('recipients set asks before it removes more than a tenth of the list', async () => {
  const file = fileOf(addresses(17))
  const questions: string[] = []
  const refuse = async (question: string) => {
    questions.push(question)
    return 'no'
  }
  const set = (...options: string[]) =>
    mailflow(['recipients', 'set', 'ours.example', '-f', file, ...options], {
      env: { MAILFLOW_API: api.url },
      ...(options.length === 0 && { prompt: refuse }),
    })
  assert.equal((await set()).status, 1)
  assert.deepEqual(questions, ['Remove 3 of the 20 recipients of ours.example? Type yes: '])
  const withoutTerminal = await set('--json')
  assert.match(withoutTerminal.err, /Without a terminal, give --yes/)
  assert.equal(writes(), 0)
  const written = await set('--json', '--yes')
  assert.deepEqual(JSON.parse(written.out), {
    domain: 'ours.example',
    written: true,
    added: 0,
    removed: 3,
    before: 20,
    after: 17,
    otherDomains: 0,
  })
})

test('recipients add and remove change single addresses', async () => {
  const added = await api.mailflow('recipients', 'add', 'ours.example', 'Anna', 'bert@ours.example')
  assert.match(added.out, /^ours\.example: 22 recipients, before 20\.$/m)
  const removed = await api.mailflow('recipients', 'remove', 'ours.example', 'ANNA@ours.example')
  assert.match(removed.out, /^ours\.example: 21 recipients, before 22\.$/m)
})

test('domains set changes the recipients of a domain, as connectors set changes a connector', async () => {
  const dryRun = await api.mailflow('domains', 'set', 'ours.example', 'recipients=List', '--dry-run')
  assert.equal(dryRun.status, 3)
  assert.match(dryRun.out, /recipients: Any\s.*List/)
  const set = await api.mailflow('domains', 'set', 'ours.example', 'Recipients=List', '--yes')
  assert.equal(set.status, 0)
  assert.equal((await api.call('GET /accepted-domains/ours.example')).body.recipients, 'List')
  const exported = await api.mailflow('connectors', 'export')
  assert.match(exported.out, /domain: ours\.example\n\s*recipients: List/)
  const explained = await api.mailflow(
    ...['explain', '--from', 'a@elsewhere.example', '--to', 'missing@ours.example', '--ip', '192.0.2.1'],
  )
  assert.match(explained.out, /missing@ours\.example: would be refused \(UnknownRecipient\)/)
  const emptied = await api.mailflow('recipients', 'remove', 'ours.example', ...addresses(20), '--yes')
  assert.match(emptied.err, /409|Conflict/)
})

const failures: [title: string, args: string[], error: RegExp][] = [
  [
    'a domain that is not accepted',
    ['recipients', 'list', 'elsewhere.example'],
    /elsewhere\.example is not an accepted domain/,
  ],
  ['no domain', ['recipients', 'list', 'a b'], /"a b" is not a domain/],
  ['no file', ['recipients', 'set', 'ours.example'], /requires -f FILE/],
  [
    'an address of another domain',
    ['recipients', 'add', 'ours.example', 'a@b.example'],
    /not an address of ours\.example/,
  ],
  ['an unknown value', ['domains', 'set', 'ours.example', 'recipients=Some'], /would not be valid/],
  ['an unknown field', ['domains', 'set', 'ours.example', 'recipient=Any'], /"recipient" is not a field/],
  [
    'a mode without its list',
    ['domains', 'set', 'new.example', 'recipients=List', '--yes'],
    /all mail would be refused/,
  ],
]
for (const [title, args, error] of failures)
  test(`${args.slice(0, 2).join(' ')} with ${title} is an error, and writes nothing`, async () => {
    await api.call('PUT /accepted-domains/new.example', { json: {} })
    const result = await api.mailflow(...args)
    assert.notEqual(result.status, 0)
    assert.match(result.err, error)
  })
