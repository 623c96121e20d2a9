/** Tests end to end that recipients are checked by a list and by callouts to the mailbox server. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mailflow } from '../support/cli/mailflow.ts'
import { Wire } from '../support/ingress/ingress.ts'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import { Api, type RunnerProcess, waitForResult } from '../support/local/runner.ts'
import { shareRunner } from '../support/local/shared-runner.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

let mailbox: Partner
const shared = shareRunner()
let runner: RunnerProcess
let api: Api

before(
  async () => {
    mailbox = await startPartner({
      answer: (command) => (command.startsWith('RCPT TO:<gone') ? '550 5.1.1 User unknown' : undefined),
    })
    runner = await shared.enter()
    api = new Api(runner.endpoints)
    await setUpMailboxServer(api, mailbox, { tlsSettings: null })
  },
  { timeout: 120_000 },
)

after(async () => {
  await mailbox?.stop()
  await shared.leave()
})

const command = (...args: string[]) => mailflow(args, { env: { MAILFLOW_API: runner.endpoints.api } })

async function setRecipients(mode: string): Promise<void> {
  const { status, err } = await command('domains', 'set', 'ours.example', `recipients=${mode}`, '--yes')
  assert.equal(status, 0, err)
}

/** The codes with which the ingress replies to the recipients. */
async function codesOf(...names: string[]): Promise<string[]> {
  const wire = await Wire.greet(Number(runner.endpoints.smtp.split(':')[1]))
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  const codes: string[] = []
  for (const name of names) codes.push((await wire.command(`RCPT TO:<${name}@ours.example>`)).slice(0, 3))
  await wire.end()
  return codes
}

/** The ingress may accept a recipient by connectors that it read up to one second earlier. */
const whenRefused = (name: string) =>
  waitForResult(async () => ((await codesOf(name))[0] === '550' ? true : null))

test('a recipient that the list does not have is refused, and one that is added is accepted at once', async () => {
  await command('recipients', 'add', 'ours.example', 'ann', 'bert')
  assert.deepEqual(await codesOf('carla'), ['250'])
  await setRecipients('List')
  await whenRefused('carla')
  assert.deepEqual(await codesOf('Ann', 'ann+tag', 'postmaster'), ['250', '250', '250'])
  await command('recipients', 'add', 'ours.example', 'carla')
  assert.deepEqual(await codesOf('carla'), ['250'])
  await command('recipients', 'remove', 'ours.example', 'bert', '--yes')
  await whenRefused('bert')
})

test('a list of 100,000 recipients passes the API, and the ingress finds its last address', async () => {
  const input = Array.from({ length: 100_000 }, (_, n) => `firstname.lastname${n}@ours.example\n`).join('')
  const set = await mailflow(['recipients', 'set', 'ours.example', '-f', '-', '--yes'], {
    env: { MAILFLOW_API: runner.endpoints.api },
    input,
  })
  assert.match(set.out, /100000 added, \d removed; \d before, 100000 after/, set.err)
  await whenRefused('carla')
  assert.deepEqual(await codesOf('Firstname.Lastname99999', 'firstname.lastname100000'), ['250', '550'])
})

test('a recipient that the mailbox server does not know is refused; check-recipient asks it once', async () => {
  await setRecipients('SmtpCallout')
  await whenRefused('gone')
  assert.deepEqual(await codesOf('ann', 'postmaster'), ['250', '250'])
  assert.deepEqual(await codesOf('ann', 'gone'), ['250', '550'])
  assert.deepEqual(
    mailbox.commands.filter((line) => line.startsWith('RCPT')),
    ['RCPT TO:<gone@ours.example>', 'RCPT TO:<ann@ours.example>'],
  )
})
