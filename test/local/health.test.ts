/** Tests end to end that `GET /health` has the alarms of the template, and that one rings because of a message. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import type { Health } from '../../shared/contract/health.ts'
import { Api, type RunnerProcess, sendMessage, waitForResult } from '../support/local/runner.ts'
import { shareRunner } from '../support/local/shared-runner.ts'

const shared = shareRunner()
let runner: RunnerProcess
let api: Api

before(
  async () => {
    runner = await shared.enter()
    api = new Api(runner.endpoints)
  },
  { timeout: 120_000 },
)
after(() => shared.leave())

/** The headings of the runbook, which are exactly the alarms (test/infra/alarms.test.ts). */
const headings = [...readFileSync('docs/runbook.md', 'utf8').matchAll(/^## (.+)$/gm)].map(
  ([, title]) => title,
)
/** Needs the setting `summaries`. */
const withoutFunction = 'Errors in send-summary'

const health = () => api.call<Health>('GET', '/health')
const stateOf = ({ alarms }: Health, title: string) => alarms.find((alarm) => alarm.title === title)?.state

test('GET /health has every alarm of the template, and finds a healthy ingress', async () => {
  const found = await health()
  const expected = headings.filter((title) => title !== withoutFunction)
  assert.deepEqual(found.alarms.map(({ title }) => title).sort(), expected.sort())
  assert.equal(stateOf(found, 'No healthy ingress task'), 'OK')
})

test('an alarm rings after a message for a domain without a route', async () => {
  const title = 'Recipients without a route'
  await api.call('PUT', '/accepted-domains/unrouted.example', { comment: '' })
  await waitForResult(() =>
    sendMessage(
      runner.endpoints,
      'ann@partner.example',
      'bob@unrouted.example',
      'Subject: x\r\n\r\nx\r\n',
    ).catch(() => null),
  )
  const { status, summary, alarms } = await waitForResult(async () => {
    const found = await health()
    return stateOf(found, title) === 'ALARM' ? found : null
  })
  assert.equal(status, 'Alarms')
  assert.match(summary, /alarms rings?: /)
  assert.equal(alarms[0]?.state, 'ALARM')
})
