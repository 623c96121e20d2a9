import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeliveryJob, DeliveryPriority } from '../../../shared/contract/jobs.ts'
import { DeliveryQueue } from '../../../shared/queues/delivery-queue.ts'
import { recordingQueue } from '../../support/queue.ts'

const job = (destination: string, priority?: DeliveryPriority) =>
  ({ destination, ...(priority && { priority }) }) as DeliveryJob

function queues() {
  const byPriority = {
    Normal: recordingQueue<DeliveryJob>(),
    Unproven: recordingQueue<DeliveryJob>(),
    Low: recordingQueue<DeliveryJob>(),
  }
  const destinations = () =>
    Object.entries(byPriority).map(([name, { sent }]) => [name, sent.map(({ job }) => job.destination)])
  return { byPriority, destinations, queue: new DeliveryQueue(byPriority) }
}

test('the queue of deliveries sends each job to the queue of its priority, and one without priority as Normal', async () => {
  const { queue, destinations } = queues()
  await queue.send(
    [job('a', 'Low'), job('b'), job('c', 'Unproven'), job('d', 'Normal'), job('e', 'Low')].map((it) => ({
      job: it,
    })),
  )
  assert.deepEqual(destinations(), [
    ['Normal', ['b', 'd']],
    ['Unproven', ['c']],
    ['Low', ['a', 'e']],
  ])
})

test('the queue of deliveries fails when one of its queues fails, so that the caller repeats its job', async () => {
  const { queue, byPriority } = queues()
  byPriority.Low.failOnce()
  await assert.rejects(queue.send([{ job: job('a', 'Low') }, { job: job('b') }]), /the queue is away/)
})
