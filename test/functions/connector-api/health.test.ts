/** Tests `GET /health`: what it reads from CloudWatch, and what the alarms mean together. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { StackAlarms } from '../../../functions/connector-api/stack-alarms.ts'
import { alarmDescription } from '../../../shared/contract/alarms.ts'
import type { AlarmState, Health, HealthAlarm } from '../../../shared/contract/health.ts'
import { softwareVersion } from '../../../shared/contract/software-version.ts'
import { createTestApi } from '../../support/api-client.ts'
import { answer, ScriptedServer } from '../../support/aws-server.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

const since = '2026-02-03T11:00:00.000Z'
const seconds = Date.parse(since) / 1000

const alarm = (title: string, changes: object = {}) => ({
  AlarmName: `Mailflow: ${title}`,
  AlarmDescription: alarmDescription({ title, impact: 'Mail is late.' }),
  StateValue: 'OK',
  StateUpdatedTimestamp: seconds + 60,
  StateTransitionedTimestamp: seconds,
  ...changes,
})

let server: ScriptedServer
let database: TestDynamoDb
before(async () => {
  server = await ScriptedServer.start(answer(200))
  database = await startDynamoDb()
})
after(async () => {
  await server.stop()
  await database.stop()
})

const alarmsOf = (stackName: string) =>
  new StackAlarms({
    stackName,
    region: async () => 'eu-west-1',
    credentials: async () => ({ accessKeyId: 'key', secretAccessKey: 'secret' }),
    endpoint: `http://127.0.0.1:${server.port}`,
  })

async function health(alarms: { read(): Promise<HealthAlarm[]> }) {
  const api = createTestApi(database.documents, Date.now, [], {}, null, undefined, alarms)
  const { status, body } = await api.call('GET /health')
  return { status, body: body as Health, logged: api.logged }
}

describe('reading from CloudWatch', () => {
  test('reads every page of the alarms with the prefix of the stack', async () => {
    server.requests.length = 0
    server.script = [
      answer(200, JSON.stringify({ MetricAlarms: [alarm('One')], NextToken: 'second page' })),
      answer(200, JSON.stringify({ MetricAlarms: [alarm("The 2nd alarm's test", { StateValue: 'ALARM' })] })),
    ]
    const { body } = await health(alarmsOf('Mailflow'))
    assert.deepEqual(body.alarms, [
      {
        title: "The 2nd alarm's test",
        impact: 'Mail is late.',
        state: 'ALARM',
        since,
        runbook: 'docs/runbook.md#the-2nd-alarms-test',
      },
      { title: 'One', impact: 'Mail is late.', state: 'OK', since, runbook: 'docs/runbook.md#one' },
    ])
    const common = { AlarmNamePrefix: 'Mailflow: ', AlarmTypes: ['MetricAlarm'], MaxRecords: 100 }
    assert.deepEqual(
      server.requests.map((request) => JSON.parse(request.body.toString())),
      [common, { ...common, NextToken: 'second page' }],
    )
    const request = server.requests[0]
    assert.deepEqual([request?.method, request?.path], ['POST', '/'])
    assert.equal(request?.headers['x-amz-target'], 'GraniteServiceVersion20100801.DescribeAlarms')
    assert.match(request?.headers.authorization ?? '', /\/eu-west-1\/monitoring\/aws4_request/)
  })

  test('without the time of the last change of the state, takes that of its last update', async () => {
    server.script = [
      answer(
        200,
        JSON.stringify({ MetricAlarms: [alarm('One', { StateTransitionedTimestamp: undefined })] }),
      ),
    ]
    assert.equal((await alarmsOf('Mailflow').read())[0]?.since, '2026-02-03T11:01:00.000Z')
  })

  const others: [name: string, changes: object][] = [
    ['of a stack with a longer name', { AlarmName: 'Mailflow-test: One' }],
    ['of an administrator, without a description', { AlarmDescription: undefined }],
    ['of an administrator, with another description', { AlarmDescription: 'Mail is late.' }],
    ['with the description of another alarm', alarm('Two', { AlarmName: 'Mailflow: One' })],
  ]
  for (const [name, changes] of others)
    test(`leaves out an alarm ${name}`, async () => {
      server.script = [answer(200, JSON.stringify({ MetricAlarms: [alarm('One', changes)] }))]
      assert.deepEqual(await alarmsOf('Mailflow').read(), [])
    })

  const denied = JSON.stringify({
    __type: 'com.amazon#AccessDenied',
    message: 'User arn:aws:… is not authorized',
  })
  const page = JSON.stringify({ MetricAlarms: [alarm('One')], NextToken: 'second page' })
  const failures: [name: string, script: ScriptedServer['script'], cause: string][] = [
    ['refuses', [answer(403, denied)], 'AccessDenied'],
    ['fails', [answer(500)], 'Http500'],
    ['refuses the second page', [answer(200, page), answer(403, denied)], 'AccessDenied'],
    ['answers with another form', [answer(200, '{"alarms": []}')], 'ZodError'],
  ]
  for (const [name, script, cause] of failures)
    test(`answers Unknown with the cause, and logs a warning, when CloudWatch ${name}`, async () => {
      server.script = script
      const { status, body, logged } = await health(alarmsOf('Mailflow'))
      assert.deepEqual([status, body.status, body.alarms], [200, 'Unknown', []])
      assert.equal(
        body.summary,
        `The alarms cannot be read from CloudWatch: ${cause}. The log of connector-api has the details.`,
      )
      assert.equal(logged[0]?.level, 'warn')
    })
})

describe('the status', () => {
  const inState = (state: AlarmState, title: string, hour = 11): HealthAlarm => ({
    title,
    impact: '',
    state,
    since: `2026-02-03T${hour}:00:00Z`,
    runbook: '',
  })
  const cases: [HealthAlarm[], status: Health['status'], summary: string][] = [
    [[inState('OK', 'A'), inState('OK', 'B')], 'Good', 'None of 2 alarms rings.'],
    [[], 'Unknown', 'CloudWatch has no alarm of this stack.'],
    [
      [inState('OK', 'A'), inState('INSUFFICIENT_DATA', 'B')],
      'Unknown',
      'No alarm rings, but 1 of 2 alarms lacks data: "B".',
    ],
    [[inState('INSUFFICIENT_DATA', 'A'), inState('ALARM', 'B')], 'Alarms', '1 of 2 alarms rings: "B".'],
    [
      ['A', 'B', 'C', 'D'].map((title) => inState('ALARM', title)),
      'Alarms',
      '4 of 4 alarms ring: "A", "B", "C" and 1 more.',
    ],
  ]
  for (const [alarms, status, summary] of cases)
    test(`is ${status}: ${summary}`, async () => {
      const { body } = await health({ read: async () => alarms })
      assert.deepEqual([body.status, body.summary, body.softwareVersion], [status, summary, softwareVersion])
    })

  test('comes with the alarms that ring first, then those that lack data, each longest first', async () => {
    const alarms = [
      inState('OK', 'A'),
      inState('INSUFFICIENT_DATA', 'B', 10),
      inState('ALARM', 'C', 12),
      inState('ALARM', 'E', 11),
      inState('ALARM', 'D', 11),
      inState('OK', 'F', 10),
    ]
    const { body } = await health({ read: async () => alarms })
    assert.equal(body.alarms.map(({ title }) => title).join(''), 'DECBFA')
  })
})
