import assert from 'node:assert/strict'
import { test } from 'node:test'
import { respondToDeployment } from '../../../functions/rotate-certificate/respond-to-deployment.ts'

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

function recordingFetch(status = 200) {
  const requests: { url: string; method: string | undefined; body: unknown }[] = []
  const send = (async (url: string, { method, body }: RequestInit) => {
    requests.push({ url, method, body: JSON.parse(String(body)) })
    return new Response(null, { status })
  }) as typeof fetch
  return { requests, send }
}

test('respondToDeployment sends SUCCESS to CloudFormation when the work is done', async () => {
  const { requests, send } = recordingFetch()
  assert.equal(await respondToDeployment(event, async () => 'done', send), 'done')
  assert.deepEqual(requests, [
    { url: event.ResponseURL, method: 'PUT', body: { ...answer, Status: 'SUCCESS', Reason: '' } },
  ])
})

test('respondToDeployment sends FAILED with the reason when the work throws', async () => {
  const { requests, send } = recordingFetch()
  const work = () => Promise.reject(new Error('the secret is not JSON'))
  await respondToDeployment({ ...event, RequestType: 'Update' }, work, send)
  assert.deepEqual(requests[0]?.body, { ...answer, Status: 'FAILED', Reason: 'the secret is not JSON' })
})

test('respondToDeployment sends SUCCESS without the work when the stack is removed', async () => {
  const { requests, send } = recordingFetch()
  await respondToDeployment(
    { ...event, RequestType: 'Delete' },
    () => Promise.reject(new Error('never')),
    send,
  )
  assert.deepEqual(requests[0]?.body, { ...answer, Status: 'SUCCESS', Reason: '' })
})

const otherEvents: [string, unknown][] = [
  ['a scheduled event', { source: 'aws.events' }],
  ['a missing event', undefined],
  [
    'an event with a response URL outside AWS',
    { ...event, ResponseURL: 'https://unknown.example/amazonaws.com' },
  ],
  [
    'an event with a response URL in the clear',
    { ...event, ResponseURL: event.ResponseURL.replace('https', 'http') },
  ],
]

for (const [name, input] of otherEvents)
  test(`respondToDeployment runs the work for ${name}, and sends no response`, async () => {
    const { requests, send } = recordingFetch()
    assert.equal(await respondToDeployment(input, async () => 'done', send), 'done')
    await assert.rejects(
      respondToDeployment(input, () => Promise.reject(new Error('no')), send),
      /^Error: no$/,
    )
    assert.deepEqual(requests, [])
  })

test('respondToDeployment throws, so that Lambda runs it again, when CloudFormation does not accept the response', async () => {
  const { send } = recordingFetch(403)
  await assert.rejects(
    respondToDeployment(event, async () => null, send),
    /did not accept the response: HTTP 403/,
  )
})
