/** Tests the start of `npm start`: one ready line, one-line errors, the demo. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, watch, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { assertFitsTerminal } from '../support/cli/fits-terminal.ts'
import { mailflow } from '../support/cli/mailflow.ts'
import { listenSilently } from '../support/listen.ts'
import { launch, type RunnerProcess, runToEnd, startRunner } from '../support/local/runner.ts'
import { folderOfTests, remainingIn, temporaryFolder } from '../support/local/temporary-folder.ts'
import { comparable, runInShell, transcriptsOf } from '../support/local/transcripts.ts'
import { within } from '../support/within.ts'

const folder = folderOfTests()

async function takenPort(t: { after(fn: () => void): void }): Promise<number> {
  const { port, stop } = await listenSilently()
  t.after(stop)
  return port
}

for (const option of ['--smtp-port', '--api-port', '--pages-port', '--dns-port'])
  test(`npm start with a port in use for ${option} exits with 1 and one line that names port and option`, async (t) => {
    const port = await takenPort(t)
    const ports = { '--smtp-port': '0', '--api-port': '0', '--dns-port': '0', [option]: String(port) }
    const { code, stdout, stderr } = await runToEnd([...Object.entries(ports).flat(), '--no-demo'])
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.equal(stderr, `mailflow: port ${port} is already in use (${option})\n`)
  })

const badZone = join(folder, 'bad.json')
writeFileSync(badZone, '{"names":{"a.example":{"MX":"mx"}}}')
const faults = [
  {
    name: 'the unknown option --verbose',
    args: ['--verbose'],
    stderr: /^mailflow: Unknown option '--verbose'[^\n]*\n$/,
  },
  {
    name: '--zone and a missing file',
    args: ['--zone', join(folder, 'none.json')],
    stderr: /^mailflow: --zone [^\n]*ENOENT[^\n]*\n$/,
  },
  {
    name: '--state without a directory',
    args: ['--state', ''],
    stderr: /^mailflow: --state needs a directory\n$/,
  },
  {
    name: '--zone and an invalid zone',
    args: ['--zone', badZone],
    stderr: /^mailflow: --zone [^\n]*names\.a\.example\.MX[^\n]*\n$/,
  },
]
for (const { name, args, stderr } of faults)
  test(`npm start with ${name} exits with 1 and one line that names the fault`, async () => {
    const ended = await runToEnd(args)
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, stderr)
  })

test('npm start with --help prints every option, and exits with 0', async () => {
  const { code, stdout, stderr } = await runToEnd(['--help'])
  assert.equal(code, 0)
  assert.equal(stderr, '')
  for (const option of [
    '--smtp-port',
    '--api-port',
    '--pages-port',
    '--dns-port',
    '--zone',
    '--state',
    '--no-demo',
  ])
    assert.ok(stdout.includes(`\n  ${option} `), option)
})

test('npm start leaves no temporary files when it is interrupted during the start', async () => {
  const temporary = temporaryFolder(folder, 'interrupted')
  const watcher = watch(temporary)
  const runner = launch(['--smtp-port', '0', '--api-port', '0', '--no-demo'], temporary)
  while (remainingIn(temporary).length === 0)
    await within(30_000, once(watcher, 'change'), 'a temporary folder')
  watcher.close()
  const ended = once(runner, 'exit')
  runner.kill('SIGINT')
  assert.deepEqual(await ended, [0, null])
  assert.deepEqual(remainingIn(temporary), [])
})

describe('the demo of npm start', { timeout: 90_000 }, () => {
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
