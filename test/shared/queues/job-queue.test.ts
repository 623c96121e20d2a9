import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SendMessageBatchCommand, SendMessageBatchCommandOutput, SQSClient } from '@aws-sdk/client-sqs'
import fc from 'fast-check'
import { JobQueue } from '../../../shared/queues/job-queue.ts'

type Answer = Pick<SendMessageBatchCommandOutput, 'Failed'>

/** @param lost id of an entry that the response does not name */
function queue(answer: (ids: string[]) => Answer = () => ({ Failed: [] }), lost: string | null = null) {
  const requests: NonNullable<SendMessageBatchCommand['input']['Entries']>[] = []
  const send = async ({ input }: SendMessageBatchCommand) => {
    const entries = input.Entries ?? []
    requests.push(entries)
    const ids = entries.map(({ Id }) => Id ?? '')
    const { Failed = [] } = answer(ids)
    const acceptedIds = ids.filter((id) => id !== lost && !Failed.some(({ Id }) => Id === id))
    return { Failed, Successful: acceptedIds.map((Id) => ({ Id })) }
  }
  return {
    requests,
    jobs: new JobQueue<unknown>({ send } as unknown as SQSClient, 'https://queue.example/q'),
  }
}

test('the job queue sends at most ten jobs and 1 MiB in a request', async () => {
  const { requests, jobs } = queue()
  const sizes = [...Array.from({ length: 23 }, () => 10), 800_000, 400_000, 400_000]
  await jobs.send(sizes.map((size) => ({ job: 'x'.repeat(size) })))
  assert.deepEqual(
    requests.map((entries) => entries.length),
    [10, 10, 4, 2],
  )
})

test('the job queue sends no request for an empty list', async () => {
  const { requests, jobs } = queue()
  await jobs.send([])
  assert.deepEqual(requests, [])
})

test('trySend() reports as failed only the jobs that the queue refused, and send() throws for them', async () => {
  const { jobs } = queue((ids) => ({
    Failed: ids.filter((id) => id === '3').map((Id) => ({ Id, Code: 'InternalError', SenderFault: false })),
  }))
  const failures = await jobs.trySend(Array.from({ length: 12 }, (_, job) => ({ job })))
  assert.deepEqual(
    failures.flatMap((failure, index) => (failure ? [index] : [])),
    [3],
  )
  await assert.rejects(
    jobs.send(Array.from({ length: 12 }, (_, job) => ({ job }))),
    /queue refused a job: InternalError/,
  )
})

test('trySend() reports as failed only the jobs of a request that failed', async () => {
  let first = true
  const { jobs } = queue(() => {
    if (!first) return { Failed: [] }
    first = false
    throw new Error('connection reset')
  })
  const failures = await jobs.trySend(Array.from({ length: 12 }, (_, job) => ({ job })))
  assert.deepEqual(
    failures.map((failure) => failure?.message ?? null),
    [...Array.from({ length: 10 }, () => 'connection reset'), null, null],
  )
})

test('trySend() reports a job as failed that the response does not name', async () => {
  const { jobs } = queue(undefined, '1')
  const failures = await jobs.trySend([{ job: 1 }, { job: 2 }, { job: 3 }])
  assert.deepEqual(
    failures.map((failure) => failure?.message ?? null),
    [null, 'the queue did not confirm a job', null],
  )
})

test('jobs of a group whose name is above the limit of SQS share one shorter group id', async () => {
  const { requests, jobs } = queue()
  const group = `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.example`
  await jobs.send([
    { job: 1, group },
    { job: 2, group },
    { job: 3, group: 'short.example' },
  ])
  const groups = requests.flat().map(({ MessageGroupId }) => MessageGroupId ?? '')
  assert.equal(groups[0], groups[1])
  assert.ok((groups[0] ?? '').length <= 128)
  assert.equal(groups[2], 'short.example')
})

test('the body of a job with characters above U+FFFF has escapes in their place, and other text is unchanged', async () => {
  const { requests, jobs } = queue()
  await jobs.send([{ job: { address: 'jörg😀@b.example' } }])
  assert.equal(requests[0]?.[0]?.MessageBody, String.raw`{"address":"jörg\ud83d\ude00@b.example"}`)
})

/** XML 1.0 §2.2, without the characters above U+FFFF, which emulators of SQS reject. */
const isSafeCharacter = (character: string): boolean => {
  const point = character.codePointAt(0) ?? 0
  if (point < 0x20) return [0x9, 0xa, 0xd].includes(point)
  return !(point >= 0xd800 && point <= 0xdfff) && point < 0xfffe
}

test('the body of any job has only characters that every SQS accepts, and parses back to the job', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(0xffff), { maxLength: 40 }), async (units) => {
      const job = { text: String.fromCharCode(...units) }
      const { requests, jobs } = queue()
      await jobs.send([{ job }])
      const body = requests[0]?.[0]?.MessageBody ?? ''
      assert.deepEqual(
        [...body].filter((character) => !isSafeCharacter(character)),
        [],
      )
      assert.deepEqual(JSON.parse(body), job)
    }),
  )
})

test('jobs of concurrent senders share requests, and each sender learns of its own failure only', async () => {
  const { requests, jobs } = queue((ids) => ({
    Failed: ids.filter((id) => id === '2').map((Id) => ({ Id, Code: 'InternalError', SenderFault: false })),
  }))
  const results = await Promise.allSettled(Array.from({ length: 4 }, (_, job) => jobs.send([{ job }])))
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(
    requests.map((entries) => entries.map(({ MessageBody }) => MessageBody)),
    [['0', '1', '2', '3']],
  )
})

test('ten collected jobs are sent at once, and a job above the size of a request goes into the next one', async () => {
  const { requests, jobs } = queue()
  const sizes = [...Array.from({ length: 9 }, () => 10), 1_000_000, 100_000]
  await Promise.all(sizes.map((size) => jobs.send([{ job: 'x'.repeat(size) }])))
  assert.deepEqual(
    requests.map((entries) => entries.length),
    [10, 1],
  )
})
