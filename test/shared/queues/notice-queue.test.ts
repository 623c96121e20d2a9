import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateNotice } from '../../../shared/contract/jobs.ts'
import { NoticeQueue, type NoticeSendResult } from '../../../shared/queues/notice-queue.ts'
import { certificateFactsWith, certificateNotice, minutesLater, receivedAt } from '../../support/fixtures.ts'

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
const noticeOf = (connector: string, index: number, vouchedFor = false) =>
  certificateNotice({ connector, fingerprint256: certificate(index), vouchedFor })
const ofOwnAuthority = {
  facts: certificateFactsWith({ issuedByConnectorAuthority: true, issuedByPublicRoot: false }),
}

test('the notice of one certificate at one connector is sent once per hour', async () => {
  const { notices, jobs } = queue()
  const results: NoticeSendResult[] = []
  for (const minutes of [0, 1, 59, 60])
    results.push(await notices.send(noticeOf('one', 1), minutesLater(minutes)))
  assert.deepEqual(results, ['Sent', 'Known', 'Known', 'Sent'])
  assert.equal(await notices.send(noticeOf('two', 1), minutesLater(60)), 'Sent')
  assert.equal(jobs.length, 3)
})

test('a changed effect on mail causes one more notice within the hour, also if effects alternate', async () => {
  const { notices, jobs } = queue()
  for (let minute = 0; minute < 40; minute++)
    for (const consequence of ['Held', 'RefusedInSession'] as const)
      await notices.send({ ...noticeOf('one', 1), consequence }, minutesLater(minute))
  assert.deepEqual(
    jobs.map(({ consequence }) => consequence),
    ['Held', 'RefusedInSession'],
  )
})

test("untrusted certificates do not use up the limit of certificates of the connector's authority", async () => {
  const { notices } = queue()
  for (let index = 0; index < 11; index++) await notices.send(noticeOf('one', index), receivedAt)
  assert.equal(await notices.send(noticeOf('one', 12), receivedAt), 'TooMany')
  assert.equal(await notices.send({ ...noticeOf('one', 13), ...ofOwnAuthority }, receivedAt), 'Sent')
})

test('a connector with a thousand certificates in an hour gets ten notices, and other connectors still get theirs', async () => {
  const { notices, jobs } = queue()
  for (let index = 0; index < 1000; index++)
    await notices.send(noticeOf('one', index), minutesLater((index * 59) / 1000))
  assert.equal(jobs.length, 10)
  assert.equal(await notices.send(noticeOf('two', 1), minutesLater(59)), 'Sent')
})

test('untrusted certificates at many connectors do not use up the limit of trusted certificates', async () => {
  const { notices } = queue()
  for (let index = 0; index < 100; index++) await notices.send(noticeOf(`${index % 9}`, index), receivedAt)
  assert.equal(await notices.send(noticeOf('1', 1000), receivedAt), 'TooMany')
  assert.equal(await notices.send(noticeOf('1', 1001, true), receivedAt), 'Sent')
})

test('at most twenty notices per minute are sent for all connectors together', async () => {
  const { notices, jobs } = queue()
  const results: NoticeSendResult[] = []
  for (let index = 0; index < 30; index++)
    results.push(await notices.send(noticeOf(`${index}`, 1), receivedAt))
  assert.deepEqual([jobs.length, results.slice(20).every((result) => result === 'TooMany')], [20, true])
  assert.equal(await notices.send(noticeOf('29', 1), minutesLater(1)), 'Sent')
})

test('a notice that the queue did not accept does not count, so the next one of the same certificate is sent', async () => {
  const { notices, fails, jobs } = queue()
  fails.next = true
  assert.equal(await notices.send(noticeOf('one', 1), receivedAt), 'Failed')
  fails.next = false
  assert.equal(await notices.send(noticeOf('one', 1), receivedAt), 'Sent')
  assert.equal(jobs.length, 1)
})
