import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateNotice } from '../../../shared/contract/jobs.ts'
import { NoticeQueue, type NoticeSendResult } from '../../../shared/queues/notice-queue.ts'
import { certificateNotice, minutesLater, receivedAt } from '../../support/fixtures.ts'

function queue() {
  const jobs: CertificateNotice[] = []
  const fails = { next: false }
  const notices = new NoticeQueue({
    async trySend(outgoing) {
      const failure = fails.next ? new Error('the queue is away') : null
      if (failure === null) jobs.push(...outgoing.map(({ job }) => job))
      return outgoing.map(() => failure)
    },
  })
  return { jobs, fails, notices }
}

const certificate = (index: number): string => index.toString(16).padStart(64, '0')
const of = (connector: string, index: number, vouchedFor = false) =>
  certificateNotice({ connector, fingerprint256: certificate(index), vouchedFor })

test('one certificate of one connector is sent once an hour', async () => {
  const { notices, jobs } = queue()
  const sent: NoticeSendResult[] = []
  for (const minutes of [0, 1, 59, 60]) sent.push(await notices.send(of('one', 1), minutesLater(minutes)))
  assert.deepEqual(sent, ['Sent', 'Known', 'Known', 'Sent'])
  assert.equal(await notices.send(of('two', 1), minutesLater(60)), 'Sent')
  assert.equal(jobs.length, 3)
})

test('a connector with many new certificates leaves other connectors their notices', async () => {
  const { notices, jobs } = queue()
  for (let index = 0; index < 1000; index++)
    await notices.send(of('one', index), minutesLater((index * 59) / 1000))
  assert.equal(jobs.length, 10)
  assert.equal(await notices.send(of('two', 1), minutesLater(59)), 'Sent')
})

test('untrusted certificates at every connector leave the limit of certificates from a trusted CA', async () => {
  const { notices } = queue()
  for (let index = 0; index < 100; index++) await notices.send(of(`${index % 9}`, index), receivedAt)
  assert.equal(await notices.send(of('1', 1000), receivedAt), 'TooMany')
  assert.equal(await notices.send(of('1', 1001, true), receivedAt), 'Sent')
})

test('any number of connectors sends at most twenty notices in a minute', async () => {
  const { notices, jobs } = queue()
  const sent: NoticeSendResult[] = []
  for (let index = 0; index < 30; index++) sent.push(await notices.send(of(`${index}`, 1), receivedAt))
  assert.deepEqual([jobs.length, sent.slice(20).every((one) => one === 'TooMany')], [20, true])
  assert.equal(await notices.send(of('29', 1), minutesLater(1)), 'Sent')
})

test('a notice that the queue did not accept is sent when the certificate is presented again', async () => {
  const { notices, fails, jobs } = queue()
  fails.next = true
  assert.equal(await notices.send(of('one', 1), receivedAt), 'Failed')
  fails.next = false
  assert.equal(await notices.send(of('one', 1), receivedAt), 'Sent')
  assert.equal(jobs.length, 1)
})
