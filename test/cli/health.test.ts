import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { HealthAlarm } from '../../shared/contract/health.ts'
import { softwareVersion } from '../../shared/contract/software-version.ts'
import { assertFitsTerminal } from '../support/cli/fits-terminal.ts'
import { type HttpApi, startApi } from '../support/cli/mailflow.ts'

let alarms: HealthAlarm[]
let api: HttpApi
before(async () => {
  api = await startApi(Date.now, undefined, { read: async () => alarms })
})
after(() => api.stop())

const alarm = (title: string, state: HealthAlarm['state']): HealthAlarm => ({
  title,
  impact: 'Mail is late.',
  state,
  since: '2026-02-03T11:00:00.000Z',
  runbook: `docs/runbook.md#${title.toLowerCase()}`,
})

test('`health` prints one line and succeeds when every alarm is OK', async () => {
  alarms = [alarm('Throttles', 'OK')]
  assert.deepEqual(await api.mailflow('health'), {
    status: 0,
    out: `Good: None of 1 alarm rings.\nmailflow ${softwareVersion}\n`,
    err: '',
  })
})

test('`health` lists the alarms that ring or lack data, and fails', async () => {
  alarms = [alarm('Throttles', 'OK'), alarm('Seals', 'INSUFFICIENT_DATA'), alarm('Errors', 'ALARM')]
  const { status, out } = await api.mailflow('health')
  assert.equal(status, 1)
  assert.equal(
    out,
    `Alarms: 1 of 3 alarms rings: "Errors".
mailflow ${softwareVersion}

State              Since                 Alarm   Impact         What to do
ALARM              2026-02-03 11:00:00Z  Errors  Mail is late.  docs/runbook.md#errors
INSUFFICIENT_DATA  2026-02-03 11:00:00Z  Seals   Mail is late.  docs/runbook.md#seals
`,
  )
})

test('`health --all` lists every alarm, and fits the terminal', async () => {
  alarms = [alarm('Throttles', 'OK')]
  const { status, out } = await api.mailflow('health', '--all')
  assert.deepEqual([status, out.split('\n').length], [0, 6])
  await assertFitsTerminal(['health', '--all'], { env: { MAILFLOW_API: api.url } }, ['Throttles'])
})

test('`health` fails when the status is Unknown', async () => {
  alarms = []
  const { status, out } = await api.mailflow('health')
  assert.deepEqual([status, out.split('\n')[0]], [1, 'Unknown: CloudWatch has no alarm of this stack.'])
})

test('`health --json` prints the response of the API', async () => {
  alarms = [alarm('Errors', 'ALARM')]
  const { status, out } = await api.mailflow('health', '--json')
  assert.equal(status, 1)
  assert.deepEqual(JSON.parse(out), (await api.call('GET /health')).body)
})
