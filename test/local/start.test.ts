/** Tests the demo of `npm start`, and the pages whose commands it answers. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { assertFitsTerminal } from '../support/cli/fits-terminal.ts'
import { mailflow } from '../support/cli/mailflow.ts'
import { type RunnerProcess, startRunner } from '../support/local/runner.ts'
import { folderOfTests, temporaryFolder } from '../support/local/temporary-folder.ts'
import { comparable, runInShell, transcriptsOf } from '../support/local/transcripts.ts'

const folder = folderOfTests()

describe('the demo of npm start', { timeout: 400_000 }, () => {
  let runner: RunnerProcess
  let lines: string[]

  before(async () => {
    runner = await startRunner({ names: {} }, [])
    while (!runner.output.some((line) => line.startsWith('Press Ctrl-C')))
      await once(runner.process.stdout as never, 'data')
    lines = runner.output
  })
  after(() => runner.stop())

  /** Runs a line of a page or of the demo in a shell, as a user does. */
  const inShell = (line: string) =>
    promisify(execFile)('sh', ['-c', line], {
      env: { ...process.env, MAILFLOW_API: runner.endpoints.api },
    })

  test('prints a line for each decision', () => {
    assert.deepEqual(
      lines.filter((line) => line.length > 110 && !line.includes(dirname(folder))),
      [],
    )
    const decided = lines
      .filter((line) => /^\d+ /.test(line))
      .map((line) => line.slice(3).split(/ {2,}|(?<=in the clear) /))
    assert.deepEqual(
      decided.map((cells) => cells.slice(2)),
      [
        ['Our mailboxes', 'Delivered', 'TLSv1.3, verified'],
        ['From the bank', 'Delivered', 'TLSv1.3, verified'],
        ['From the bank', 'Refused', 'not accepted'],
        ['none', 'Delivered', 'in the clear'],
        ['none', 'Delivered', 'TLSv1.3, not verified'],
        ['none (DANE)', 'Delivered', 'TLSv1.3, verified'],
        ['none (DANE)', 'Deferred', 'not sent yet'],
        ['To the bank', 'Delivered', 'TLSv1.3, verified'],
        ['To the clinic', 'Deferred', 'not sent yet'],
        ['To the vault', 'Bounced', 'not sent'],
        ['Our mailboxes', 'Delivered', 'TLSv1.3, verified'],
      ],
    )
  })

  test('prints a command that checks the server of the bank, and the command succeeds', async () => {
    const start = lines.findIndex((line) => line.startsWith('  npx mailflow check '))
    const { stdout } = await inShell(lines.slice(start, start + 2).join('\n'))
    assert.match(stdout, /^OK {4}name +for mx\.bank\.example$/m)
  })

  test('has tables that fit the terminal, with whole addresses and ids', async () => {
    const around = { env: { MAILFLOW_API: runner.endpoints.api } }
    const { out } = await mailflow(['messages', '--json'], around)
    const listed: { id: string; envelope: { mailFrom: string; rcptTo: string[] } }[] = JSON.parse(out)
    const uncut = listed.flatMap(({ id, envelope }) => [id, envelope.mailFrom, ...envelope.rcptTo])
    await assertFitsTerminal(['messages'], around, uncut)
    await assertFitsTerminal(['connectors', 'list'], around, ['From the bank', 'mx.vault.example'])
    await assertFitsTerminal(['certificates', 'observed'], around, ['mx.bank.example'])
  })

  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  const needsFile = /^npx mailflow connectors (import-exchange|apply)/
  const commands = readme
    .split('\n')
    .filter((line) => line.startsWith('npx mailflow ') && !needsFile.test(line))

  test('runs every command of README.md that needs no file', async () => {
    assert(commands.length > 1, 'README.md has such commands')
    for (const line of commands) {
      const { stdout } = await inShell(line)
      assert(stdout !== '', line)
    }
  })

  // The last test, because it changes connectors.
  test('answers the commands of docs/tasks.md with the output that the page shows', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/tasks.md'), 'utf8')
    const transcripts = transcriptsOf(page)
    assert.equal(transcripts.length, 5)
    const cwd = temporaryFolder(folder, 'tasks')
    for (const { commands, outputs } of transcripts)
      for (const [index, command] of commands.entries()) {
        const output = await runInShell(command, cwd, { MAILFLOW_API: runner.endpoints.api })
        assert.equal(comparable(output), comparable(outputs[index] ?? ''), command)
      }
  })
})
