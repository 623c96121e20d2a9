/** What `npm start` promises: one ready line, one-line causes, a clean stop, a state that is kept, a demo. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { listenSilently } from '../support/listen.ts'
import { ourMailboxes } from '../support/local/our-mailboxes.ts'
import {
  Api,
  idIn,
  launch,
  launchByNpm,
  runToEnd,
  SmtpClient,
  sendOne,
  startRunner,
  until,
} from '../support/local/runner.ts'
import { startPartner } from '../support/smtp-partner.ts'
import { within } from '../support/within.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-start-'))
test.after(() => rmSync(folder, { recursive: true }))

async function takenPort(t: { after(fn: () => void): void }): Promise<number> {
  const { port, stop } = await listenSilently()
  t.after(stop)
  return port
}

for (const option of ['--smtp-port', '--api-port', '--pages-port', '--dns-port'])
  test(`a port in use ends the start with one line that names ${option}`, async (t) => {
    const port = await takenPort(t)
    const ports = { '--smtp-port': '0', '--api-port': '0', '--dns-port': '0', [option]: String(port) }
    const { code, stdout, stderr } = await runToEnd([...Object.entries(ports).flat(), '--no-demo'])
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.equal(stderr, `mailflow: port ${port} is in use (${option})\n`)
  })

const badZone = join(folder, 'bad.json')
writeFileSync(badZone, '{"names":{"a.example":{"MX":"mx"}}}')
const faults = [
  { args: ['--verbose'], stderr: /^mailflow: Unknown option '--verbose'[^\n]*\n$/ },
  { args: ['--zone', join(folder, 'none.json')], stderr: /^mailflow: --zone [^\n]*ENOENT[^\n]*\n$/ },
  { args: ['--state', ''], stderr: /^mailflow: --state: the name of a directory is missing\n$/ },
  { args: ['--zone', badZone], stderr: /^mailflow: --zone [^\n]*names\.a\.example\.MX[^\n]*\n$/ },
]
for (const { args, stderr } of faults)
  test(`"${args[0]}" with a fault ends the start with one line`, async () => {
    const ended = await runToEnd(args)
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, stderr)
  })

test('--help prints every option and starts nothing', async () => {
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

/** A folder of its own for the runner's temporary one, so that what is left behind is seen. */
function temporaryFolder(name: string): string {
  const temporary = join(folder, name)
  mkdirSync(temporary)
  return temporary
}

const leftIn = (temporary: string): string[] =>
  readdirSync(temporary).filter((name) => name.startsWith('mailflow-'))

const isAlive = (pid: number | undefined): boolean => {
  try {
    return process.kill(pid ?? assert.fail('a process has an id'), 0)
  } catch {
    return false
  }
}

test('a start that is interrupted leaves nothing behind', async () => {
  const temporary = temporaryFolder('interrupted')
  const watcher = watch(temporary)
  const runner = launch(['--smtp-port', '0', '--api-port', '0', '--no-demo'], temporary)
  while (leftIn(temporary).length === 0) await within(30_000, once(watcher, 'change'), 'a temporary folder')
  watcher.close()
  const ended = once(runner, 'exit')
  runner.kill('SIGINT')
  assert.deepEqual(await ended, [0, null])
  assert.deepEqual(leftIn(temporary), [])
})

test('SIGHUP is a clean stop, however many pass it on', async (t) => {
  const temporary = temporaryFolder('hung-up')
  const runner = await startRunner({ names: {} }, ['--no-demo'], (args) => launch(args, temporary))
  t.after(() => runner.stop())
  const ended = once(runner.process, 'exit')
  runner.process.kill('SIGHUP')
  await runner.complaint(/^mailflow: SIGHUP: finishing/)
  runner.process.kill('SIGTERM')
  assert.deepEqual(await ended, [0, null])
  assert.deepEqual(leftIn(temporary), [])
  assert.ok(!isAlive(runner.endpoints.pids.ingress))
})

test('a second signal does not wait for a message that is under way, and still cleans up', async (t) => {
  const temporary = temporaryFolder('impatient')
  const runner = await startRunner({ names: {} }, ['--no-demo'], (args) => launch(args, temporary))
  t.after(() => runner.stop())
  await new Api(runner.endpoints).call('PUT', '/accepted-domains/ours.example', {})
  const client = await SmtpClient.open(runner.endpoints)
  t.after(() => client.close())
  for (const command of ['MAIL FROM:<a@b.example>', 'RCPT TO:<ann@ours.example>', 'DATA'])
    assert.match(await client.command(command), /^[23]/)
  const ended = once(runner.process, 'exit')
  await until(() => {
    runner.process.kill('SIGINT')
    return runner.process.exitCode
  })
  assert.deepEqual(await ended, [1, null])
  assert.deepEqual(leftIn(temporary), [])
  assert.equal(await client.reply(), '', 'the connection ended: the ingress is gone')
})

test('SIGTERM to npm ends everything that npm start began', async (t) => {
  const runner = await startRunner({ names: {} }, ['--no-demo'], launchByNpm)
  t.after(() => runner.stop())
  const { pids } = runner.endpoints
  assert.notEqual(pids.runner, runner.process.pid)
  runner.process.kill('SIGTERM')
  await until(() => (isAlive(pids.runner) || isAlive(pids.ingress) ? null : 'ended'))
})

test('with --state a clean stop and a new start lose nothing', { timeout: 60_000 }, async (t) => {
  const state = join(folder, 'state')
  const mailbox = await startPartner({ answer: () => undefined })
  t.after(() => mailbox.stop())
  const args = ['--no-demo', '--state', state]

  const first = await startRunner({ names: {} }, args)
  t.after(() => first.stop())
  assert.deepEqual(await runToEnd(['--smtp-port', '0', '--api-port', '0', ...args]), {
    code: 1,
    stdout: '',
    stderr: `mailflow: --state ${state}: in use by the runner with pid ${first.process.pid}\n`,
  })
  const api = new Api(first.endpoints)
  await api.call('PUT', '/accepted-domains/ours.example', {})
  const content = 'Subject: kept\r\n\r\nover the stop\r\n'
  // No connector routes ours.example yet, so the message waits in the queue.
  const id = idIn(await sendOne(first.endpoints, 'a@b.example', 'ann@ours.example', content))
  assert.equal((await api.settled(id)).recipients[0]?.state, 'Deferred')
  const connector = ourMailboxes(mailbox, { name: 'Our mailboxes' })
  await api.create('outbound', connector)
  assert.equal(await first.stop(), 0)
  endWaiting(join(state, 'snapshot', 'queues.json'))

  // The demo has a connector of that name, too: what was kept is the administrator's, so it keeps away.
  const second = await startRunner({ names: {} }, ['--state', state])
  t.after(() => second.stop())
  const again = new Api(second.endpoints)
  const { items } = await again.call<{ items: { name: string }[] }>('GET', '/outbound-connectors')
  assert.deepEqual(
    items.map(({ name }) => name),
    ['Our mailboxes'],
  )
  const delivered = await again.settled(id, ['Delivered'])
  assert.equal(delivered.envelope.mailFrom, 'a@b.example')
  assert.equal(mailbox.received.length, 1, 'the demo sent nothing')
  assert.ok(mailbox.received[0]?.content.toString().endsWith(content))
  assert.ok(existsSync(join(state, 'certificates', 'authority.pem')))
  await until(() => (second.output.some((line) => line.startsWith('Ctrl-C')) ? 'printed' : null))
  assert.ok(second.output.some((line) => line.startsWith('The state is kept from before')))
})

/** Lets the time pass until deferred jobs are due, in the file that keeps them. */
function endWaiting(file: string): void {
  const queues: Record<string, { body: string; md5OfBody: string; delayUntil?: number }[]> = JSON.parse(
    readFileSync(file, 'utf8'),
  )
  const waiting = Object.values(queues).flat()
  assert.equal(waiting.length, 1)
  for (const message of waiting) {
    message.body = JSON.stringify({ ...JSON.parse(message.body), notBefore: null })
    message.md5OfBody = createHash('md5').update(message.body).digest('hex')
    delete message.delayUntil
  }
  writeFileSync(file, JSON.stringify(queues))
}

test('the demo prints a line for every decision, and how to go on', { timeout: 90_000 }, async (t) => {
  const runner = await startRunner({ names: {} }, [])
  t.after(() => runner.stop())
  const text = async () => {
    while (!runner.output.some((line) => line.startsWith('Ctrl-C')))
      await once(runner.process.stdout as never, 'data')
    return runner.output
  }
  const lines = await text()
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
      ['From the bank', 'Refused', 'never taken in'],
      ['none', 'Delivered', 'in the clear'],
      ['none', 'Delivered', 'TLSv1.3, not verified'],
      ['none, but DANE', 'Delivered', 'TLSv1.3, verified'],
      ['none, but DANE', 'Deferred', 'not yet, it waits'],
      ['To the bank', 'Delivered', 'TLSv1.3, verified'],
      ['To the clinic', 'Deferred', 'not yet, it waits'],
      ['To the vault', 'Bounced', 'not at all'],
      ['Our mailboxes', 'Delivered', 'TLSv1.3, verified'],
    ],
  )
})
