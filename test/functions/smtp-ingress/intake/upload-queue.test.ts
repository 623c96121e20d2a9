import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UploadQueue, UploadQueueTimeout } from '../../../../functions/smtp-ingress/intake/upload-queue.ts'

const uploadQueue = (slots: number) => new UploadQueue({ slots, bufferOctets: 8, timeoutMs: 1000 })
const neverAborted = new AbortController().signal
const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

/** Work whose end the test controls; records the order of starts. */
function controlledWork(queue: UploadQueue) {
  const startedNames: string[] = []
  const buffers = new Map<string, Buffer>()
  const ends = new Map<string, { resolve(): void; reject(error: Error): void }>()
  const start = (name: string, signal = neverAborted) =>
    queue.runInSlot(async (buffer) => {
      startedNames.push(name)
      buffers.set(name, buffer)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      ends.set(name, { resolve, reject })
      await promise
      return name
    }, signal)
  return { startedNames, buffers, start, end: (name: string) => ends.get(name) }
}

test('the upload queue runs at most as much work as it has slots, in the order of arrival', async () => {
  const { startedNames, start, end } = controlledWork(uploadQueue(2))
  const results = ['a', 'b', 'c', 'd'].map((name) => start(name))
  await nextTurn()
  assert.deepEqual(startedNames, ['a', 'b'])
  end('b')?.resolve()
  await nextTurn()
  assert.deepEqual(startedNames, ['a', 'b', 'c'])
  end('a')?.resolve()
  await nextTurn()
  end('c')?.resolve()
  end('d')?.resolve()
  assert.deepEqual(await Promise.all(results), ['a', 'b', 'c', 'd'])
})

test('the slot of failed work becomes free, and its buffer is not reused', async () => {
  const { buffers, start, end } = controlledWork(uploadQueue(1))
  const first = start('a')
  await nextTurn()
  end('a')?.reject(new Error('away'))
  await assert.rejects(first, { message: 'away' })
  const second = start('b')
  await nextTurn()
  end('b')?.resolve()
  await second
  const third = start('c')
  await nextTurn()
  end('c')?.resolve()
  await third
  assert.notEqual(buffers.get('a'), buffers.get('b'))
  assert.equal(buffers.get('b'), buffers.get('c'))
})

test('work that waits too long for an upload slot times out, and the next work gets the slot', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { startedNames, start, end } = controlledWork(uploadQueue(1))
  const first = start('a')
  await nextTurn()
  const second = start('b')
  await nextTurn()
  context.mock.timers.tick(999)
  const third = start('c')
  await nextTurn()
  context.mock.timers.tick(1)
  // The slot becomes free in the same turn as the timeout. The work that timed out must not get the slot.
  end('a')?.resolve()
  await assert.rejects(second, UploadQueueTimeout)
  await first
  await nextTurn()
  assert.deepEqual(startedNames, ['a', 'c'])
  end('c')?.resolve()
  await third
})

test('aborted work leaves the upload queue immediately', async () => {
  const { startedNames, start, end } = controlledWork(uploadQueue(1))
  const first = start('a')
  const abortController = new AbortController()
  const second = start('b', abortController.signal)
  await nextTurn()
  abortController.abort()
  await assert.rejects(second, { name: 'AbortError' })
  await assert.rejects(start('c', abortController.signal), { name: 'AbortError' })
  end('a')?.resolve()
  await first
  const lastWork = start('d')
  await nextTurn()
  end('d')?.resolve()
  assert.equal(await lastWork, 'd')
  assert.deepEqual(startedNames, ['a', 'd'])
})
