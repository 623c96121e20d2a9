import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { request } from 'node:http'
import { json } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { InvocationError } from '../../../infra/local/lambda/function.ts'
import { type InvokeServer, startInvokeServer } from '../../../infra/local/lambda/invoke-server.ts'
import { nextTime, readSchedules, startSchedule } from '../../../infra/local/lambda/schedule.ts'
import { Resolver, type Template } from '../../../infra/local/template.ts'
import { expiryWatchHour } from '../../../shared/contract/expiry-watch-schedule.ts'
import { reportHours } from '../../../shared/contract/report-schedule.ts'
import { eventually } from '../../support/eventually.ts'
import { assemble } from '../../support/synthesis.ts'
import { within } from '../../support/within.ts'

const rule = (ScheduleExpression: string): Template => ({
  Resources: {
    Rule: { Type: 'AWS::Events::Rule', Properties: { ScheduleExpression, Targets: [{ Arn: 'arn:report' }] } },
  },
})
const read = (template: Template) => readSchedules(template, new Resolver(template))

test("the stack's schedules of TLS reports and of the expiry watch are read with their hours and minute", () => {
  const template: Template = assemble().getStackByName('Mailflow').template
  const resolver = new Resolver(template)
  for (const id of Object.keys(template.Resources)) resolver.register(id, { Ref: id, Arn: `arn:${id}` })
  const schedules = readSchedules(template, resolver)
  const scheduleOf = (name: string) =>
    schedules.find(({ functionArn }) => functionArn.startsWith(`arn:${name}`))
  const [reports, expiryWatch] = [scheduleOf('ReportsFunction'), scheduleOf('ExpiryWatchFunction')]
  assert.deepEqual(reports?.hours, [...reportHours])
  assert.equal(reports?.minutes.length, 1)
  assert.ok((reports?.minutes[0] ?? -1) >= 0 && (reports?.minutes[0] ?? 60) < 60)
  assert.deepEqual([expiryWatch?.hours, expiryWatch?.minutes], [[expiryWatchHour], [0]])
})

for (const expression of [
  'rate(5 minutes)',
  'cron(0 8 1 * ? *)',
  'cron(*/5 * * * ? *)',
  'cron(0 8 * * MON *)',
])
  test(`the unsupported schedule ${expression} is refused with an error that names its rule`, () => {
    assert.throws(() => read(rule(expression)), /Rule: .* is not implemented by the local runner/)
  })

const dailySchedule = 'cron(20 16,1,4 * * ? *)'
const [schedule] = read(rule(dailySchedule))
assert.ok(schedule)

for (const [now, next] of [
  ['2026-02-03T00:00:00.000Z', '2026-02-03T01:20:00.000Z'],
  ['2026-02-03T01:19:59.999Z', '2026-02-03T01:20:00.000Z'],
  ['2026-02-03T01:20:00.000Z', '2026-02-03T04:20:00.000Z'],
  ['2026-02-28T16:20:01.000Z', '2026-03-01T01:20:00.000Z'],
] as const)
  test(`at ${now} the next time of ${dailySchedule} is ${next}`, () => {
    assert.equal(nextTime(schedule, new Date(now)).toISOString(), next)
  })

test('a schedule invokes its function at each of its times until the schedule is stopped', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.parse('2026-02-03T00:00:00.000Z') })
  const times: string[] = []
  const invoke = async (arn: string, event: unknown) => {
    assert.equal(arn, 'arn:report')
    times.push((event as { time: string }).time)
  }
  const stop = startSchedule(schedule, invoke, assert.fail)
  for (let hour = 0; hour < 26; hour++) context.mock.timers.tick(3_600_000)
  stop()
  context.mock.timers.tick(86_400_000)
  assert.deepEqual(times, [
    '2026-02-03T01:20:00.000Z',
    '2026-02-03T04:20:00.000Z',
    '2026-02-03T16:20:00.000Z',
    '2026-02-04T01:20:00.000Z',
  ])
})

test('a schedule of every minute has the next minute as its next time', () => {
  const [everyMinute] = read(rule('cron(* * * * ? *)'))
  assert.ok(everyMinute)
  for (const [now, next] of [
    ['2026-02-03T00:00:00.000Z', '2026-02-03T00:01:00.000Z'],
    ['2026-02-28T23:59:00.001Z', '2026-03-01T00:00:00.000Z'],
  ] as const)
    assert.equal(nextTime(everyMinute, new Date(now)).toISOString(), next)
})

test('a failed invocation by a schedule is reported with its error message', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.parse('2026-02-03T01:00:00.000Z') })
  const faults = new EventEmitter()
  const results = once(faults, 'fault')
  const stop = startSchedule(
    schedule,
    () => Promise.reject(new Error('no time')),
    (line) => faults.emit('fault', line),
  )
  context.mock.timers.tick(20 * 60_000)
  stop()
  assert.deepEqual(await results, ['no time'])
})

let server: InvokeServer
/** Events of the function that fails. */
const failures: unknown[] = []
before(async () => {
  server = await startInvokeServer((name, event) => {
    if (name === 'broken') {
      failures.push(event)
      return Promise.reject(new InvocationError('it broke'))
    }
    return name === 'echo' ? Promise.resolve(event) : null
  })
})
after(() => server.close())

async function post(path: string, body: string, host?: string, method = 'POST') {
  const headers = { 'content-length': Buffer.byteLength(body), ...(host && { host }) }
  const httpRequest = request(`${server.url}${path}`, { method, headers }).end(body)
  const [response] = await within(10_000, once(httpRequest, 'response'), 'the response')
  return {
    status: response.statusCode,
    fault: response.headers['x-amz-function-error'],
    body: await json(response),
  }
}
const invocations = (name: string) => `/2015-03-31/functions/${name}/invocations`

test('a POST to the invoke server invokes the named function and returns its result', async () => {
  assert.deepEqual(await post(invocations('echo'), '{"day":"2026-02-03"}'), {
    status: 200,
    fault: undefined,
    body: { day: '2026-02-03' },
  })
  assert.deepEqual((await post(invocations('echo'), '')).body, {})
})

test("a POST to the invoke server gets Lambda's response to a failed invocation when the function fails", async () => {
  assert.deepEqual(await post(invocations('broken'), '{}'), {
    status: 200,
    fault: 'Unhandled',
    body: { errorMessage: 'it broke' },
  })
})

test('an asynchronous invocation is answered before the function has ended, also if it fails', async () => {
  for (const name of ['echo', 'broken']) {
    const response = await fetch(`${server.url}${invocations(name)}`, {
      method: 'POST',
      headers: { 'x-amz-invocation-type': 'Event' },
      body: '{}',
    })
    assert.deepEqual([response.status, await response.text()], [202, ''], name)
  }
})

test('an asynchronous invocation that fails is repeated twice', async () => {
  await fetch(`${server.url}${invocations('broken')}`, {
    method: 'POST',
    headers: { 'x-amz-invocation-type': 'Event' },
    body: '{"part":1}',
  })
  const ofThis = () => failures.filter((event) => 'part' in (event as object)).length
  await eventually(() => ofThis() === 3, 'three invocations')
  await delay(1500)
  assert.equal(ofThis(), 3)
})

for (const [title, path, body, host, method, status] of [
  ['an unknown function name', invocations('other'), '{}', undefined, 'POST', 404],
  ['an unknown path', '/2015-03-31/functions/', '{}', undefined, 'POST', 404],
  ['the method GET', invocations('echo'), '', undefined, 'GET', 404],
  ['invalid JSON', invocations('echo'), '{', undefined, 'POST', 400],
  ['an unknown host name', invocations('echo'), '{}', 'evil.example', 'POST', 403],
] as const)
  test(`a request to the invoke server with ${title} gets ${status}`, async () => {
    assert.equal((await post(path, body, host, method)).status, status)
  })
