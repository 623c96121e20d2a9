import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  maxSesWaits,
  maxWaits,
  type QueueReturn,
  replyWhenGivenUp,
  returnToQueue,
  waitAfterThrottling,
} from '../../../functions/deliver-message/return-to-queue.ts'
import { DeliveryJob } from '../../../shared/contract/jobs.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { recordingQueue } from '../../support/queue.ts'

const job = (waits?: number): DeliveryJob => ({
  message: message(),
  recipients: [recipient({ address: 'b@partner.example' })],
  destination: 'partner.example',
  route: { kind: 'Mx', domain: 'partner.example' },
  tls: opportunistic,
  attempt: 3,
  connectorsVersion: 7,
  ...(waits === undefined ? {} : { waits }),
})

async function returnJob(original: DeliveryJob, reason: QueueReturn, random = 0) {
  const delivery = recordingQueue<DeliveryJob>()
  await returnToQueue(original, reason, { delivery, random: () => random })
  return { delivered: delivery.take() }
}

describe('a delivery job that has not begun', () => {
  it('returns to the queue unchanged, without a delay and in the group of its destination, when time is short', async () => {
    const { delivered } = await returnJob(job(2), 'NoTime')
    assert.deepEqual(delivered, [{ job: job(2), group: 'partner.example' }])
  })

  it('returns to the queue with a longer delay each time, with its waits counted, when no slot is free', async () => {
    const [first] = (await returnJob(job(), 'NoSlot')).delivered
    assert.deepEqual(first, { job: job(1), delaySeconds: 1, group: 'partner.example' })
    assert.deepEqual(DeliveryJob.parse(first?.job), job(1))
    const delays = async (random: number) =>
      Promise.all(
        [0, 1, 2, 3, 4, 5, 6].map(
          async (waits) => (await returnJob(job(waits), 'NoSlot', random)).delivered[0]?.delaySeconds,
        ),
      )
    assert.deepEqual(await delays(0), [1, 2, 4, 8, 16, 30, 30])
    assert.deepEqual(await delays(0.999), [2, 4, 8, 16, 32, 60, 60])
  })

  it('fails with 451 4.4.5 when no slot is free after the last permitted wait', () => {
    assert.equal(replyWhenGivenUp(job(maxWaits - 1), 'NoSlot'), null)
    assert.equal(replyWhenGivenUp(job(maxWaits), 'NoTime'), null)
    const finalReply = replyWhenGivenUp(job(maxWaits), 'NoSlot')
    assert.equal(
      finalReply && formatReply(finalReply),
      '451 4.4.5 All slots for deliveries to partner.example are in use',
    )
  })

  const wait = { reason: 'SesRate', sendAt: null, delaySeconds: 600, text: 'it takes 14' } as const

  it('returns to the queue with its reserved time, without a counted wait, when Amazon SES may take it later', async () => {
    const sendAt = new Date('2026-07-01T12:00:07.123Z')
    const { delivered } = await returnJob(job(2), { ...wait, sendAt, delaySeconds: 7 })
    const reserved = { ...job(2), sendAt: '2026-07-01T12:00:07.123Z' }
    assert.deepEqual(delivered, [{ job: reserved, delaySeconds: 7, group: 'partner.example' }])
    assert.deepEqual(DeliveryJob.parse(delivered[0]?.job), reserved)
    assert.equal(replyWhenGivenUp(job(1_000), { ...wait, sendAt }), null)
  })

  it('returns to the queue with its wait counted when no time can be reserved, and fails with 451 4.4.5 after hours', async () => {
    const { delivered } = await returnJob(job(2), wait)
    assert.deepEqual(delivered, [{ job: job(3), delaySeconds: 600, group: 'partner.example' }])
    assert.equal(replyWhenGivenUp(job(maxSesWaits - 1), wait), null)
    const finalReply = replyWhenGivenUp(job(maxSesWaits), wait)
    assert.equal(
      finalReply && formatReply(finalReply),
      '451 4.4.5 Amazon SES cannot take the message yet: it takes 14',
    )
  })

  it('waits longer each time that Amazon SES throttles it, up to ten minutes, and fails after 38 to 76 minutes', () => {
    const delays = (random: number) =>
      Array.from({ length: maxSesWaits }, (_, waits) => waitAfterThrottling({ waits }, random).delaySeconds)
    assert.deepEqual(delays(0), [8, 15, 30, 60, 120, 240, 300, 300, 300, 300, 300, 300])
    assert.deepEqual(delays(0.999), [15, 30, 60, 120, 240, 480, 600, 600, 600, 600, 600, 600])
  })

  it('gives up its reserved time when Amazon SES throttles it', async () => {
    const { delivered } = await returnJob(
      { ...job(), sendAt: '2026-07-01T12:00:07.123Z' },
      waitAfterThrottling(job(), 0),
    )
    assert.deepEqual(delivered, [{ job: job(1), delaySeconds: 8, group: 'partner.example' }])
  })

  it('throws, so that SQS keeps it, when the queue does not accept its copy', async () => {
    const delivery = recordingQueue<DeliveryJob>()
    delivery.failOnce()
    await assert.rejects(returnToQueue(job(), 'NoSlot', { delivery, random: () => 0 }), /the queue is away/)
  })
})
