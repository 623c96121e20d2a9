import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { after, test } from 'node:test'
import { InvocationError, LambdaFunction } from '../../../infra/local/lambda/function.ts'
import { listen } from '../../support/listen.ts'
import { within } from '../../support/within.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-lambda-'))
after(() => rmSync(folder, { recursive: true }))
const module = join(folder, 'index.mjs')
writeFileSync(
  module,
  `import { connect } from 'node:net'
   let calls = 0
   export const handler = async (event, context) => {
     calls += 1
     if (event.do === 'throw') throw new Error('no such table')
     if (event.do === 'pause') { console.log('paused'); await new Promise((resolve) => setTimeout(resolve, 30)) }
     if (event.do === 'exit') process.exit(3)
     if (event.do === 'hang') { event.log && console.log(event.log); await new Promise(() => setInterval(() => {}, 1000)) }
     if (event.do === 'connect') return new Promise((resolve, reject) =>
       connect({ host: '127.0.0.11', port: 25 }).once('data', (octets) => resolve(String(octets))).once('error', reject))
     return { calls, color: process.env.COLOR, memory: context.memoryLimitInMB, left: context.getRemainingTimeInMillis() }
   }`,
)

function make(
  t: { after(fn: () => Promise<void>): void },
  overrides: { timeoutSeconds?: number; concurrency?: number; ports?: object } = {},
) {
  const log = new PassThrough()
  const lambda = new LambdaFunction(
    {
      name: 'test',
      module,
      handler: 'handler',
      translation: { ...overrides.ports },
      environment: { COLOR: 'blue', AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256' },
      timeoutSeconds: overrides.timeoutSeconds ?? 30,
      concurrency: overrides.concurrency ?? 4,
    },
    log,
  )
  t.after(() => lambda.stop())
  return { lambda, log }
}

test('a second invocation reuses the environment, with the configured variables and the remaining time', async (t) => {
  const { lambda } = make(t)
  await lambda.invoke({})
  const second = (await lambda.invoke({})) as Record<string, unknown>
  assert.equal(second.calls, 2)
  assert.equal(second.color, 'blue')
  assert.equal(second.memory, '256')
  assert.ok(Number(second.left) > 0 && Number(second.left) <= 30_000)
})

test('concurrent invocations get separate environments', async (t) => {
  const { lambda } = make(t)
  const answers = await Promise.all([lambda.invoke({}), lambda.invoke({})])
  assert.deepEqual(
    answers.map((answer) => (answer as { calls: number }).calls),
    [1, 1],
  )
})

test('an invocation uses an environment that becomes free before a new environment is ready', async (t) => {
  // With mocked timers, the time after which a new environment is created never passes.
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { lambda, log } = make(t)
  const first = lambda.invoke({ do: 'pause' })
  await once(log, 'data')
  assert.equal(((await lambda.invoke({})) as { calls: number }).calls, 2)
  await first
})

test('an invocation does not wait for a hanging one, but gets a new environment', async (t) => {
  const { lambda, log } = make(t)
  lambda.invoke({ do: 'hang', log: 'under way' }).catch(() => undefined)
  await once(log, 'data')
  assert.equal(((await lambda.invoke({})) as { calls: number }).calls, 1)
})

test('invocations above the concurrency limit wait for an environment', async (t) => {
  const { lambda } = make(t, { concurrency: 1 })
  const answers = await Promise.all([lambda.invoke({}), lambda.invoke({}), lambda.invoke({})])
  assert.deepEqual(
    answers.map((answer) => (answer as { calls: number }).calls),
    [1, 2, 3],
  )
})

test('when a handler throws, its invocation fails, and the environment is used again', async (t) => {
  const { lambda } = make(t)
  await assert.rejects(lambda.invoke({ do: 'throw' }), new InvocationError('test: no such table'))
  assert.equal(((await lambda.invoke({})) as { calls: number }).calls, 2)
})

test('when an environment exits, its invocation fails, and the next invocation gets a new environment', async (t) => {
  const { lambda } = make(t)
  await assert.rejects(lambda.invoke({ do: 'exit' }), InvocationError)
  assert.equal(((await lambda.invoke({})) as { calls: number }).calls, 1)
})

test('an invocation that exceeds the function timeout fails with an error that states the timeout', async (t) => {
  const { lambda } = make(t, { timeoutSeconds: 0.2 })
  await assert.rejects(lambda.invoke({ do: 'hang' }), { message: 'test timed out after 0.2 s' })
})

test('crash() ends only environments with a running invocation, whose invocation fails', async (t) => {
  const { lambda, log } = make(t)
  await lambda.warm()
  assert.equal(lambda.crash(), 0)
  const hanging = lambda.invoke({ do: 'hang', log: 'under way' })
  hanging.catch(() => undefined)
  await within(30_000, once(log, 'data'), 'the log of the invocation')
  assert.equal(lambda.crash(), 1)
  await assert.rejects(hanging, { message: 'test: the execution environment ended' })
})

test('a connection of a function to port 25 reaches the address and port of the translation table', async (t) => {
  const { port, stop } = await listen(createServer((socket) => socket.end('220 here')))
  t.after(stop)
  const { lambda } = make(t, { ports: { '127.0.0.11': `127.0.0.1:${port}` } })
  assert.equal(await lambda.invoke({ do: 'connect' }), '220 here')
})
