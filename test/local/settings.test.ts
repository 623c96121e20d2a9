/** Tests settings and canaries end to end, in a deployment that has no accepted domain yet. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Wire } from '../support/ingress/ingress.ts'
import {
  Api,
  messageIdIn,
  type RunnerProcess,
  sendMessage,
  startRunner,
  waitForResult,
} from '../support/local/runner.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-test-'))
const settings = join(folder, 'settings.json')
/** Nothing listens at the issuer: test/infra/local/sign-in.test.ts has tests with a real one. */
const jwt = {
  issuer: 'https://127.0.0.1:1',
  audience: ['mailflow'],
  roles: { claim: 'groups', mapping: { mail: 'administer' } },
}
writeFileSync(
  settings,
  JSON.stringify({ hostname: 'mx.ours.example', postmaster: 'ops@operator.example', jwt }),
)

let operator: Partner
let runner: RunnerProcess
let api: Api

before(
  async () => {
    operator = await startPartner({ extensions: ['DSN'] })
    const zone = {
      names: {
        'operator.example': { MX: [[10, 'mx.operator.example']] },
        'mx.operator.example': { A: ['127.0.0.11'] },
      },
      ports: { '127.0.0.11': `127.0.0.1:${operator.port}` },
    }
    runner = await startRunner(zone, ['--no-demo', '--settings', settings])
    api = new Api(runner.endpoints)
  },
  { timeout: 120_000 },
)

after(async () => {
  await operator?.stop()
  rmSync(folder, { recursive: true })
  assert.equal(await runner?.stop(), 0, 'SIGTERM is a clean stop')
})

test("mail to the gateway's postmaster is relayed to the configured mailbox with the address of RCPT TO as ORCPT, as POST /explain says", async () => {
  const from = 'bob@elsewhere.example'
  const explained = await api.call<{ recipients: { address: string; verdict: { action: string } }[] }>(
    'POST',
    '/explain',
    { mailFrom: from, rcptTo: ['postmaster@mx.ours.example'], ip: '127.0.0.1' },
  )
  assert.deepEqual(
    explained.recipients.map(({ address, verdict }) => [address, verdict.action]),
    [['ops@operator.example', 'Deliver']],
  )
  const content = 'Subject: your certificate\r\n\r\nbody\r\n'
  const reply = await sendMessage(runner.endpoints, from, 'Postmaster@mx.ours.example', content)
  const trace = await api.settled(messageIdIn(reply))
  assert.deepEqual(
    trace.recipients.map(({ address, state }) => [address, state]),
    [['ops@operator.example', 'Delivered']],
  )
  const [received] = operator.received
  assert.deepEqual(received?.recipients, [
    'RCPT TO:<ops@operator.example> ORCPT=rfc822;Postmaster@mx.ours.example',
  ])
  assert.ok(received?.content.toString().endsWith(content))
})

test('a dot alone in a line of a chunk is content: the next hop receives it by DATA with its dot doubled, and one message', async () => {
  const count = operator.received.length
  const wire = await Wire.greet(Number(runner.endpoints.smtp.split(':')[1]))
  const smuggled =
    'MAIL FROM:<evil@elsewhere.example>\r\nRCPT TO:<ops@operator.example>\r\nDATA\r\nevil\r\n.\r\nend'
  const content = `Subject: x\r\n\r\ntext\r\n.\r\n${smuggled}`
  wire.write('MAIL FROM:<bob@elsewhere.example>\r\nRCPT TO:<postmaster@mx.ours.example>\r\n')
  wire.write(`BDAT ${content.length} LAST\r\n${content}`)
  const replies = [await wire.reply(), await wire.reply(), await wire.reply()]
  await api.settled(messageIdIn(replies.at(-1) ?? ''))
  assert.match(await wire.command('QUIT'), /^221 /)
  assert.equal(operator.received.length, count + 1)
  assert.ok(operator.received.at(-1)?.content.toString().endsWith(`\r\n${content}\r\n`))
  const octets = operator.wire().toString('latin1')
  assert.ok(octets.includes('text\r\n..\r\nMAIL FROM:<evil@'))
  assert.ok(octets.includes('evil\r\n..\r\nend\r\n.\r\n'))
})

test('mail to another mailbox of the host name, or in the domain of the configured mailbox, is refused', async () => {
  for (const to of ['abuse@mx.ours.example', 'b@operator.example'])
    assert.equal(
      await sendMessage(runner.endpoints, 'bob@elsewhere.example', to, 'Subject: x\r\n\r\n'),
      '550 5.7.64 Relay access denied',
    )
})

test('with the setting jwt, the API for people is served beside the other, and refuses a request whose token it cannot verify', async () => {
  const { api, signInApi = '' } = runner.endpoints
  assert.match(signInApi, /^http:\/\/127\.0\.0\.1:\d+$/)
  assert.equal((await fetch(`${api}/configuration`)).status, 200)
  for (const headers of [{}, { authorization: 'Bearer a.b.c' }]) {
    const response = await fetch(`${signInApi}/configuration`, { headers })
    assert.deepEqual([response.status, await response.json()], [401, { message: 'Unauthorized' }])
  }
})

const functionNamed = (prefix: string) =>
  runner.endpoints.functions.find((name) => name.startsWith(prefix)) ?? assert.fail(prefix)

/** Invokes send-canary as its schedule does. */
async function invokeCanary(): Promise<{ kind: string; id: string; reply: string }> {
  const url = `${runner.endpoints.lambda}/2015-03-31/functions/${functionNamed('CanaryFunction')}/invocations`
  const response = await fetch(url, { method: 'POST', body: '{}' })
  assert.equal(response.headers.get('x-amz-function-error'), null)
  return (await response.json()) as { kind: string; id: string; reply: string }
}

/** Returns the log lines of a function that contain the text. */
const logLines = (prefix: string, part: string): Record<string, unknown>[] =>
  readFileSync(join(runner.endpoints.logs, `${functionNamed(prefix)}.log`), 'utf8')
    .split('\n')
    .filter((line) => line.includes(part))
    .map((line) => JSON.parse(line))

test('a canary passes the gateway, its time is published, and no list shows it', async () => {
  const listed = async () =>
    (await api.call<{ items: { id: string }[] }>('GET', '/messages')).items.map(({ id }) => id)
  const before = await listed()
  const sent = await invokeCanary()
  assert.equal(sent.kind, 'Accepted')
  const trace = await api.settled(messageIdIn(sent.reply))
  assert.deepEqual(
    trace.recipients.map(({ address, state, verdict }) => [address, state, verdict.reason]),
    [[`canary+${sent.id}@mx.ours.example`, 'Delivered', 'Canary']],
  )
  assert.equal(trace.tls.negotiated, true)
  const metric = await waitForResult(() => logLines('DeliveryFunction', 'CanarySeconds').at(-1) ?? null)
  assert.deepEqual([metric.service, metric.stack], ['deliver-message', 'Mailflow'])
  assert.ok(Number(metric.CanarySeconds) < 60)
  assert.deepEqual(await listed(), before)
})

test('mail of a stranger to the address of a canary is refused in session', async () => {
  const id = '01KF0CVZT0ABCDEFGHJKMNPQRS'
  for (const to of [`canary+${id}@mx.ours.example`, 'canary@mx.ours.example'])
    assert.equal(
      await sendMessage(runner.endpoints, '', to, 'Subject: x\r\n\r\n', {}),
      '550 5.7.64 Relay access denied',
    )
})

test('a canary that the ingress does not accept is counted and logged with the reason', async () => {
  const { ingress } = runner.endpoints.pids
  assert.ok(ingress)
  process.kill(ingress, 'SIGKILL')
  const sent = await invokeCanary()
  assert.equal(sent.kind, 'NoSession')
  const failure = await waitForResult(() => logLines('CanaryFunction', sent.id).at(-1) ?? null)
  assert.deepEqual([failure.level, failure.reply], ['ERROR', sent.reply])
  const metric = await waitForResult(() => logLines('CanaryFunction', 'CanariesFailed').at(-1) ?? null)
  assert.equal(metric.CanariesFailed, 1)
  await runner.stderrLine(/restarted as pid/)
})
