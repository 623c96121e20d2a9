import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChangeMessageVisibilityBatchCommandInput, SendMessageCommandInput } from '@aws-sdk/client-sqs'
import { JobSource } from '../../../shared/lambda/job-source.ts'
import { sqsRecord } from '../../support/lambda.ts'

const arn = (queue: string) => `arn:aws:sqs:eu-central-1:000000000000:${queue}`
const urls = (queue: string) => ({
  queue: `http://sqs/1/${queue}`,
  deadLetters: `http://sqs/1/${queue}-dead`,
})

function setUp(answer: () => Promise<object> = async () => ({})) {
  const inputs: unknown[] = []
  const sqs = {
    send({ input }: { input: unknown }) {
      inputs.push(input)
      return answer()
    },
  }
  return { inputs, source: new JobSource(sqs as never, [urls('one'), urls('two')], () => 0) }
}

test('failed records are delayed on their own queue, at most ten in a request, each by its own receives', async () => {
  const { source, inputs } = setUp()
  const ofOne = Array.from({ length: 11 }, (_, index) =>
    sqsRecord({ messageId: `m${index}`, eventSourceARN: arn('one'), receives: index + 1 }),
  )
  const ofTwo = sqsRecord({ messageId: 'x', eventSourceARN: arn('two') })
  assert.deepEqual(await source.delay([...ofOne, ofTwo]), [])
  const requests = inputs as ChangeMessageVisibilityBatchCommandInput[]
  assert.deepEqual(
    requests.map(({ QueueUrl, Entries }) => [QueueUrl, Entries?.map((entry) => entry.VisibilityTimeout)]),
    [
      ['http://sqs/1/one', [15, 30, 60, 120, 240, 450, 450, 450, 450, 450]],
      ['http://sqs/1/one', [450]],
      ['http://sqs/1/two', [15]],
    ],
  )
  assert.equal(requests[2]?.Entries?.[0]?.ReceiptHandle, 'receipt of x')
})

const failures: [name: string, answer: () => Promise<object>, causes: string[]][] = [
  ['SQS is away', () => Promise.reject(new Error('away')), ['away']],
  [
    'SQS refuses a record',
    async () => ({ Failed: [{ Id: '0', Code: 'ReceiptHandleIsInvalid', Message: 'It expired' }] }),
    ['ReceiptHandleIsInvalid It expired'],
  ],
]
for (const [name, answer, causes] of failures)
  test(`delay returns the cause when ${name}`, async () => {
    const { source } = setUp(answer)
    assert.deepEqual(await source.delay([sqsRecord({ eventSourceARN: arn('one') })]), causes)
  })

test('delay returns the cause when the record is of a queue without a URL', async () => {
  const { source, inputs } = setUp()
  const [cause] = await source.delay([sqsRecord({ eventSourceARN: arn('three') })])
  assert.match(cause ?? '', /no URL of the queue .*:three/)
  assert.deepEqual(inputs, [])
})

test("a dead letter has the record's body, and the reason as an attribute of at most 1000 characters", async () => {
  const { source, inputs } = setUp()
  await source.sendToDeadLetters(sqsRecord({ eventSourceARN: arn('two'), body: 'x' }), 'y'.repeat(1001))
  const [{ QueueUrl, MessageBody, MessageAttributes }] = inputs as [SendMessageCommandInput]
  assert.deepEqual([QueueUrl, MessageBody], ['http://sqs/1/two-dead', 'x'])
  assert.deepEqual(MessageAttributes, { reason: { DataType: 'String', StringValue: 'y'.repeat(1000) } })
})
