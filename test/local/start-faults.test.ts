/** Tests `npm start` with faults of its options, `--help`, and an interrupted start. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { listenSilently } from '../support/listen.ts'
import { launch, runToEnd } from '../support/local/runner.ts'
import { folderOfTests, remainingIn, temporaryFolder } from '../support/local/temporary-folder.ts'
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
