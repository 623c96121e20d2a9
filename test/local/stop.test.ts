/** Tests the stop of `npm start`: a clean stop for every signal, and a saved state. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isAlive } from '../../infra/local/is-alive.ts'
import { mailboxConnector } from '../support/local/mailbox-server.ts'
import {
  Api,
  launch,
  launchWithNpm,
  messageIdIn,
  runToEnd,
  SmtpClient,
  sendMessage,
  startRunner,
  waitForResult,
} from '../support/local/runner.ts'
import { folderOfTests, remainingIn, temporaryFolder } from '../support/local/temporary-folder.ts'
import { startPartner } from '../support/smtp-partner.ts'

const folder = folderOfTests()

test('npm start stops cleanly on SIGHUP, also when SIGTERM follows', async (t) => {
  const temporary = temporaryFolder(folder, 'hung-up')
  const runner = await startRunner({ names: {} }, ['--no-demo'], (args) => launch(args, temporary))
  t.after(() => runner.stop())
  const ended = once(runner.process, 'exit')
  // A signal that follows much later would be the person's second.
  runner.process.kill('SIGHUP')
  runner.process.kill('SIGTERM')
  await runner.stderrLine(/^mailflow: SIG(?:HUP|TERM): stopping/)
  assert.deepEqual(await ended, [0, null])
  assert.deepEqual(remainingIn(temporary), [])
  assert.ok(!isAlive(runner.endpoints.pids.ingress ?? assert.fail('the ingress has an id')))
})

test('repeated SIGINT during a message ends npm start immediately with 1, and leaves no files and no ingress', async (t) => {
  const temporary = temporaryFolder(folder, 'impatient')
  const runner = await startRunner({ names: {} }, ['--no-demo'], (args) => launch(args, temporary))
  t.after(() => runner.stop())
  await new Api(runner.endpoints).call('PUT', '/accepted-domains/ours.example', {})
  const client = await SmtpClient.open(runner.endpoints)
  t.after(() => client.close())
  for (const command of ['MAIL FROM:<a@b.example>', 'RCPT TO:<ann@ours.example>', 'DATA'])
    assert.match(await client.command(command), /^[23]/)
  const ended = once(runner.process, 'exit')
  await waitForResult(() => {
    runner.process.kill('SIGINT')
    return runner.process.exitCode
  })
  assert.deepEqual(await ended, [1, null])
  assert.deepEqual(remainingIn(temporary), [])
  assert.equal(await client.reply(), '', 'the connection ended: the ingress is gone')
})

test('SIGTERM to the process of npm ends the runner and the ingress', async (t) => {
  const runner = await startRunner({ names: {} }, ['--no-demo'], launchWithNpm)
  t.after(() => runner.stop())
  const { runner: pid, ingress = assert.fail('the ingress has an id') } = runner.endpoints.pids
  assert.notEqual(pid, runner.process.pid)
  runner.process.kill('SIGTERM')
  await waitForResult(() => (isAlive(pid) || isAlive(ingress) ? null : 'ended'))
})

test('npm start with --state keeps connectors and queued mail over a stop and a new start', {
  timeout: 240_000,
}, async (t) => {
  const state = join(folder, 'state')
  const mailbox = await startPartner({ answer: () => undefined })
  t.after(() => mailbox.stop())
  const args = ['--no-demo', '--state', state]

  const first = await startRunner({ names: {} }, args)
  t.after(() => first.stop())
  assert.deepEqual(await runToEnd(['--smtp-port', '0', '--api-port', '0', ...args]), {
    code: 1,
    stdout: '',
    stderr: `mailflow: --state ${state}: already in use by the runner with pid ${first.process.pid}\n`,
  })
  const api = new Api(first.endpoints)
  await api.call('PUT', '/accepted-domains/ours.example', {})
  const content = 'Subject: kept\r\n\r\nover the stop\r\n'
  // No connector routes ours.example yet, so the message stays in the queue.
  const id = messageIdIn(await sendMessage(first.endpoints, 'a@b.example', 'ann@ours.example', content))
  assert.equal((await api.settled(id)).recipients[0]?.state, 'Deferred')
  const connector = mailboxConnector(mailbox, { name: 'Our mailboxes' })
  await api.create('outbound', connector)
  assert.equal(await first.stop(), 0)
  endWaiting(join(state, 'snapshot', 'queues.json'))

  // The demo has a connector of the same name, and must not change the saved state.
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
  await waitForResult(() =>
    second.output.some((line) => line.startsWith('Press Ctrl-C')) ? 'printed' : null,
  )
  assert.ok(second.output.some((line) => line.startsWith('The state directory already has a configuration')))
})

/** Makes deferred jobs due by editing the saved queues. Events also wait there, for the next start. */
function endWaiting(file: string): void {
  const queues: Record<string, { body: string; md5OfBody: string; delayUntil?: number }[]> = JSON.parse(
    readFileSync(file, 'utf8'),
  )
  const waiting = Object.entries(queues).flatMap(([queue, messages]) =>
    /Events/.test(queue) ? [] : messages,
  )
  assert.equal(waiting.length, 1)
  for (const message of waiting) {
    message.body = JSON.stringify({ ...JSON.parse(message.body), notBefore: null })
    message.md5OfBody = createHash('md5').update(message.body).digest('hex')
    delete message.delayUntil
  }
  writeFileSync(file, JSON.stringify(queues))
}
