import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storeMessages } from '../../../../functions/smtp-ingress/intake/store-messages.ts'
import { SegmentWriter, sdkObjectStore } from '../../../../shared/content/segment-writer.ts'
import { message, recipient } from '../../../support/fixtures.ts'
import { MemoryBucket, MemoryQueue } from '../../../support/memory-storage.ts'

const acceptedMessage = (mailFrom: string, recipients = 1) => {
  const { content: _content, size: _size, ...unstored } = message({ mailFrom })
  return {
    message: unstored,
    recipients: Array.from({ length: recipients }, (_, index) =>
      recipient({ address: `r${index}@ours.example` }),
    ),
    content: Buffer.from(`from ${mailFrom}\r\n`),
  }
}

function stores() {
  const bucket = new MemoryBucket()
  const queue = new MemoryQueue()
  return { bucket, queue, segments: new SegmentWriter(sdkObjectStore(bucket.client, 'content'), 'content') }
}

test('storeMessages sends a refused job again, and no accepted job', async () => {
  const { queue, segments } = stores()
  queue.refuse = ({ message: { envelope } }, call) => call === 1 && envelope.mailFrom === 'b'
  const failures = await storeMessages(
    { segments, queue },
    ['a', 'b', 'c'].map((name) => acceptedMessage(name)),
  )
  assert.deepEqual(failures, [null, null, null])
  assert.deepEqual(
    queue.jobs.map((job) => job.message.envelope.mailFrom),
    ['a', 'c', 'b'],
  )
})

test('storeMessages sends no job again when the queue refuses all', async () => {
  const { queue, segments } = stores()
  queue.refuse = () => true
  const failures = await storeMessages({ segments, queue }, [acceptedMessage('a'), acceptedMessage('b')])
  assert.deepEqual(
    failures.map((failure) => failure?.message),
    ['not taken', 'not taken'],
  )
  assert.equal(queue.calls, 1)
})

test('storeMessages fails a message when the queue refuses one of its jobs, and no other message', async () => {
  const { queue, segments } = stores()
  queue.refuse = ({ recipients }) => recipients[0]?.address === 'r100@ours.example'
  const failures = await storeMessages({ segments, queue }, [
    acceptedMessage('a'),
    acceptedMessage('b', 150),
    acceptedMessage('c', 90),
  ])
  assert.deepEqual(
    failures.map((failure) => failure === null),
    [true, false, true],
  )
})

test('storeMessages does not write content that is already stored', async () => {
  const { bucket, queue, segments } = stores()
  const content = { bucket: 'content', key: 'messages/1', offset: 0, length: 5, sha256: 'a'.repeat(64) }
  const failures = await storeMessages({ segments, queue }, [
    { ...acceptedMessage('a'), content },
    acceptedMessage('b'),
  ])
  assert.deepEqual(failures, [null, null])
  assert.equal(bucket.operations.length, 1)
  assert.deepEqual(queue.jobs[0]?.message.content, content)
  assert.equal(queue.jobs[1]?.message.content.offset, 0)
})
