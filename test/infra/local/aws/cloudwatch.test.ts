/** Tests the emulator of CloudWatch with the alarms of the stack, read by the client of `connector-api`. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { StackAlarms } from '../../../../functions/connector-api/stack-alarms.ts'
import { CloudWatchEmulator } from '../../../../infra/local/aws/cloudwatch.ts'
import { readAlarms } from '../../../../infra/local/cloudwatch/read-alarms.ts'
import { Resolver, resourcesOfType, type Template } from '../../../../infra/local/template.ts'
import { Metric, metricNamespace } from '../../../../shared/contract/metrics.ts'
import { assemble } from '../../../support/synthesis.ts'

const template = assemble().getStackByName('Mailflow').template as Template
const resolver = new Resolver(template)
for (const [id] of resourcesOfType(template, 'AWS::SQS::Queue')) resolver.register(id, { QueueName: id })
for (const [id] of resourcesOfType(template, 'AWS::Lambda::Function')) resolver.register(id, { Ref: id })

describe('the emulator of CloudWatch', () => {
  const emulator = new CloudWatchEmulator()
  let endpoint: string
  before(async () => {
    emulator.setAlarms(readAlarms(template, resolver))
    emulator.server.listen(0, '127.0.0.1')
    await once(emulator.server, 'listening')
    endpoint = `http://127.0.0.1:${(emulator.server.address() as AddressInfo).port}`
  })
  after(() => {
    emulator.close()
    emulator.server.closeAllConnections()
    emulator.server.close()
  })

  const read = async (stackName = 'Mailflow') => {
    const alarms = await new StackAlarms({
      stackName,
      region: async () => 'eu-west-1',
      credentials: async () => ({ accessKeyId: 'local', secretAccessKey: 'local' }),
      endpoint,
    }).read()
    return new Map(alarms.map((alarm) => [alarm.title, alarm]))
  }

  test('has every alarm of the template, and those of no other stack', async () => {
    assert.equal((await read()).size, resourcesOfType(template, 'AWS::CloudWatch::Alarm').length)
    assert.equal((await read('Mail')).size, 0)
  })

  test('without data, only alarms that notify administrators of missing data lack data', async () => {
    const undetermined = [...(await read()).values()].filter(({ state }) => state !== 'OK')
    assert.deepEqual(undetermined.map(({ title, state }) => `${title}: ${state}`).sort(), [
      'Hours are not sealed: INSUFFICIENT_DATA',
      'Mail does not pass in time: INSUFFICIENT_DATA',
      'No healthy ingress task: INSUFFICIENT_DATA',
    ])
  })

  test('an alarm rings because of a metric in a log, whose lines may be cut', async () => {
    const file = new PassThrough()
    const log = emulator.metricsTo(file)
    const line = `${JSON.stringify({
      _aws: {
        Timestamp: Date.now(),
        CloudWatchMetrics: [
          {
            Namespace: metricNamespace,
            Dimensions: [['service', 'stack']],
            Metrics: [{ Name: Metric.unroutedRecipients }],
          },
        ],
      },
      service: 'evaluate-policy',
      stack: 'Mailflow',
      [Metric.unroutedRecipients]: 1,
    })}\n`
    const start = Date.now()
    log.write(line.slice(0, 50))
    await new Promise((resolve) => log.write(line.slice(50), resolve))
    const alarm = (await read()).get('Recipients without a route')
    assert.equal(alarm?.state, 'ALARM')
    assert.ok(Date.parse(alarm.since) >= start)
    assert.equal(String(file.read()), line)
    assert.equal((await read()).get('Recipients without a route')?.since, alarm.since)
  })

  test('an alarm rings because of a source', async () => {
    emulator.addSource(({ name, dimensions: { QueueName = '' } }) =>
      name === 'ApproximateNumberOfMessagesVisible' && QueueName.includes('Bounce') ? 1 : null,
    )
    const alarms = await read()
    assert.equal(alarms.get('Bounce dead letters')?.state, 'ALARM')
    assert.equal(alarms.get('Delivery dead letters')?.state, 'OK')
  })

  test('refuses other calls', async () => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': 'GraniteServiceVersion20100801.PutMetricData' },
      body: '{}',
    })
    assert.equal(response.status, 400)
    assert.match(await response.text(), /"InvalidParameterValue"/)
  })
})
