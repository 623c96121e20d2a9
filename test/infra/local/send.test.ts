/** `infra/local/send.ts` as a process, against an ingress. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { startTestIngress, type TestIngress } from '../../support/ingress/ingress.ts'

const root = join(import.meta.dirname, '../../..')

let ingress: TestIngress
before(async () => {
  ingress = await startTestIngress()
})
after(() => ingress.drain())

async function send(...args: string[]) {
  const all = ['infra/local/send.ts', '--port', String(ingress.smtpPort), ...args]
  const child = spawn(process.execPath, all, { cwd: root })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { status: child.exitCode, out, err }
}

const from = ['--from', 'a@elsewhere.example']

test('send.ts sends to every --to', async () => {
  const { status, out } = await send(...from, '--to', 'b@ours.example', '--to', 'c@ours.example')
  assert.equal(status, 0)
  assert.match(out, /^250 2\.0\.0 Ok: queued as \S+\n$/)
  const recipients = ingress.queue.jobs.flatMap((job) => job.recipients.map(({ address }) => address))
  assert.deepEqual(recipients, ['b@ours.example', 'c@ours.example'])
})

test('send.ts prints which recipient was refused, and exits with 1', async () => {
  const { status, out } = await send(...from, '--to', 'b@ours.example', '--to', 'c@other.example')
  assert.equal(status, 1)
  assert.match(out, /^c@other\.example: 550 5\.7\.64 [^\n]+\n250 2\.0\.0 Ok: queued as \S+\n$/)
})

test('send.ts refuses an option that is given twice', async () => {
  assert.deepEqual(await send(...from, ...from, '--to', 'b@ours.example'), {
    status: 2,
    out: '',
    err: '--from is given twice\n',
  })
})

test('send.ts refuses what is no address, instead of sending something else', async () => {
  const to = ['--to', 'b@ours.example']
  assert.deepEqual(await send('--from', 'not an address', ...to), {
    status: 2,
    out: '',
    err: '"not an address" is not an address such as ann@ours.example\n',
  })
  assert.equal((await send('--from', '', ...to)).status, 0, 'the null reverse path')
})
