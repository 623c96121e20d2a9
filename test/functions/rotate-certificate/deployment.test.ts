import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forWhomeverAsks } from '../../../functions/rotate-certificate/deployment.ts'

const event = {
  RequestType: 'Create',
  ResponseURL: 'https://cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com/x?signed',
  StackId: 'stack',
  RequestId: 'request',
  LogicalResourceId: 'Run',
  ResourceProperties: {},
}
const answer = {
  StackId: 'stack',
  RequestId: 'request',
  LogicalResourceId: 'Run',
  PhysicalResourceId: 'certificates',
}

function listener(status = 200) {
  const heard: { url: string; method: string | undefined; body: unknown }[] = []
  const send = (async (url: string, { method, body }: RequestInit) => {
    heard.push({ url, method, body: JSON.parse(String(body)) })
    return new Response(null, { status })
  }) as typeof fetch
  return { heard, send }
}

test('a deployment hears that the work is done, and goes on', async () => {
  const { heard, send } = listener()
  assert.equal(await forWhomeverAsks(event, async () => 'done', send), 'done')
  assert.deepEqual(heard, [
    { url: event.ResponseURL, method: 'PUT', body: { ...answer, Status: 'SUCCESS', Reason: '' } },
  ])
})

test('a deployment hears why the work failed, and ends', async () => {
  const { heard, send } = listener()
  const work = () => Promise.reject(new Error('the secret is not JSON'))
  await forWhomeverAsks({ ...event, RequestType: 'Update' }, work, send)
  assert.deepEqual(heard[0]?.body, { ...answer, Status: 'FAILED', Reason: 'the secret is not JSON' })
})

test('the removal of a stack is not held up by work', async () => {
  const { heard, send } = listener()
  await forWhomeverAsks({ ...event, RequestType: 'Delete' }, () => Promise.reject(new Error('never')), send)
  assert.deepEqual(heard[0]?.body, { ...answer, Status: 'SUCCESS', Reason: '' })
})

const others: [string, unknown][] = [
  ['a schedule', { source: 'aws.events' }],
  ['nobody', undefined],
  ['a stranger who wants to hear', { ...event, ResponseURL: 'https://stranger.example/amazonaws.com' }],
  ['one in the clear', { ...event, ResponseURL: event.ResponseURL.replace('https', 'http') }],
]

for (const [who, asked] of others)
  test(`for ${who} the work is done, and no answer sent`, async () => {
    const { heard, send } = listener()
    assert.equal(await forWhomeverAsks(asked, async () => 'done', send), 'done')
    await assert.rejects(
      forWhomeverAsks(asked, () => Promise.reject(new Error('no')), send),
      /^Error: no$/,
    )
    assert.deepEqual(heard, [])
  })

test('an answer that is not taken is a fault, so that it is tried again', async () => {
  const { send } = listener(403)
  await assert.rejects(
    forWhomeverAsks(event, async () => null, send),
    /does not take the answer: 403/,
  )
})
