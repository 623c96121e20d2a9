/**
 * Tests a TLS report end to end: the sessions are counted, and the report is signed, sent, received, verified and
 * listed.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { testAccount } from '../support/lambda.ts'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import {
  Api,
  messageIdIn,
  type RunnerProcess,
  sendMessage,
  startRunner,
  waitForResult,
} from '../support/local/runner.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const folder = mkdtempSync(join(tmpdir(), 'mailflow-test-'))
const settings = join(folder, 'settings.json')
writeFileSync(
  settings,
  JSON.stringify({
    tlsReportAddress: 'tls@ours.example',
    tlsReporting: {
      organisation: 'Ours',
      address: 'postmaster@ours.example',
      dkim: {
        domain: 'ours.example',
        selector: 'reports',
        secretArn: 'arn:aws:secretsmanager:eu-west-1:000000000000:secret:dkim-AbCdEf',
      },
    },
  }),
)
writeFileSync(
  join(folder, 'dkim.json'),
  JSON.stringify({ privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) }),
)
const zone = {
  names: {
    'relay.hub.example': { A: ['127.0.0.1'] },
    '_smtp._tls.relay.hub.example': { TXT: ['v=TLSRPTv1; rua=mailto:tls@ours.example'] },
    'reports._domainkey.ours.example': {
      TXT: [
        `v=DKIM1; k=rsa; s=tlsrpt; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`,
      ],
    },
  },
}

let mailbox: Partner
let runner: RunnerProcess
let api: Api

before(
  async () => {
    mailbox = await startPartner()
    runner = await startRunner(zone, ['--no-demo', '--settings', settings, '--secrets', folder])
    api = new Api(runner.endpoints)
    await setUpMailboxServer(api, { host: 'relay.hub.example', port: mailbox.port }, { tlsSettings: null })
  },
  { timeout: 120_000 },
)

after(async () => {
  await mailbox?.stop()
  rmSync(folder, { recursive: true })
  assert.equal(await runner?.stop(), 0, 'SIGTERM is a clean stop')
})

interface Listed {
  id: string
  authenticated: string
  signedBy: string | null
  failedSessions: number
}
interface Run {
  sent: number
  claimedElsewhere: number
}

/** Returns the stored count of failed sessions, over all domains and days. */
async function countedFailures(): Promise<number> {
  const { dynamodb: endpoint, tables } = runner.endpoints
  const client = new DynamoDBClient({ endpoint, ...testAccount })
  const query = { TableName: tables.transport, FilterExpression: 'attribute_exists(sessions)' }
  const { Items = [] } = await DynamoDBDocumentClient.from(client).send(new ScanCommand(query))
  client.destroy()
  return Items.reduce((sum, { sessions }) => sum + Number(sessions), 0)
}

test('a failed session with a smart host is reported once, and the report to an accepted domain is stored and listed', async () => {
  const content = 'From: <a@elsewhere.example>\r\nSubject: x\r\n\r\nbody\r\n'
  const reply = await sendMessage(runner.endpoints, 'a@elsewhere.example', 'ann@ours.example', content)
  await api.settled(messageIdIn(reply), ['Delivered'])

  const name = runner.endpoints.functions.find((candidate) => candidate.startsWith('ReportsFunction'))
  const day = new Date().toISOString().slice(0, 10)
  const invoke = async (): Promise<Run> => {
    const url = `${runner.endpoints.lambda}/2015-03-31/functions/${name}/invocations`
    const response = await fetch(url, { method: 'POST', body: JSON.stringify({ day, unfinished: true }) })
    assert.equal(response.headers.get('x-amz-function-error'), null)
    return (await response.json()) as Run
  }
  // The counts are written at the end of the delivery's batch, after the trace. The count of the session's kind of
  // failure is written last, so the test waits for that count.
  await waitForResult(async () => ((await countedFailures()) === 1 ? true : null))
  assert.equal((await invoke()).sent, 1)
  assert.deepEqual([(await invoke()).claimedElsewhere, (await invoke()).sent], [1, 0])

  const report = await waitForResult(async () => {
    const { items } = await api.call<{ items: Listed[] }>('GET', '/tls-reports')
    return items[0] ?? null
  })
  assert.deepEqual(
    [report.authenticated, report.signedBy, report.failedSessions],
    ['pass', 'ours.example', 1],
  )
  const { policies } = await api.call<{ policies: unknown[] }>('GET', `/tls-reports/${report.id}`)
  assert.deepEqual(policies, [
    {
      type: 'no-policy-found',
      domain: 'relay.hub.example',
      strings: [],
      mxHosts: [],
      successfulSessions: 0,
      failedSessions: 1,
      failures: [
        {
          result: 'starttls-not-supported',
          sessions: 1,
          sendingIp: null,
          host: 'relay.hub.example',
          ip: '127.0.0.1',
          helo: null,
          reason: null,
          information: null,
        },
      ],
      acceptedDomain: false,
    },
  ])
  assert.equal(mailbox.received.length, 1, 'the report itself is stored, not relayed')
})
