/** Runs docs/asking.md: each command of its transcripts as written, against the demo, whose current hour is sealed. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type RunnerProcess, startRunner, waitForResult } from '../support/local/runner.ts'
import { folderOfTests, temporaryFolder } from '../support/local/temporary-folder.ts'
import { comparable, runInShell, transcriptsOf } from '../support/local/transcripts.ts'
import { SealedHours } from './exactness/sealed-hours.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/asking.md'), 'utf8')
const folder = folderOfTests()

const startedAt = Date.now()
let runner: RunnerProcess
before(
  async () => {
    runner = await startRunner({ names: {} }, [])
  },
  { timeout: 120_000 },
)
after(() => runner?.stop())

const ulid = /\b[0-9A-HJKMNP-TV-Z]{26}\b/g

/** Replaces what differs from run to run. Columns keep their width. */
const comparableAnswer = (text: string): string =>
  comparable(text)
    .replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?/g, (time) => 'T'.repeat(time.length))
    .replace(/\d{4}-\d\d-\d\d/g, 'D'.repeat(10))
    .replace(/<[\da-f-]{36}@/g, '<uuid@')
    .replace(/read [\d.]+ \w+ in [\d.]+ s/g, 'read N')

/** Seals until the events of the whole demo are stored: the last are of its DSN. */
async function sealDemo(): Promise<void> {
  const hours = new SealedHours(runner.endpoints)
  await waitForResult(async () => {
    const { Accepted, Delivered } = await hours.sealSince(startedAt)
    return (Accepted === demoMessages && Delivered === demoDeliveries) || null
  })
}

/** With the DSN. */
const demoMessages = 10
const demoDeliveries = 7

test('each command of the page answers as the page says', { timeout: 120_000 }, async () => {
  await sealDemo()
  const transcripts = transcriptsOf(page)
  assert.equal(transcripts.length, 7)
  const cwd = temporaryFolder(folder, 'asking')
  /** The ids of this run by those of the page. */
  const ids = new Map<string, string>()
  for (const { commands, outputs } of transcripts)
    for (const [index, command] of commands.entries()) {
      const expected = outputs[index] ?? ''
      const ofThisRun = command.replaceAll(ulid, (id) => ids.get(id) ?? id)
      const output = await runInShell(ofThisRun, cwd, { MAILFLOW_API: runner.endpoints.api })
      assert.equal(comparableAnswer(output), comparableAnswer(expected), command)
      const found = output.match(ulid) ?? []
      for (const [position, id] of (expected.match(ulid) ?? []).entries()) ids.set(id, found[position] ?? '')
    }
})
