import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EvaluationQueueJob, splitForJobs } from '../../../shared/contract/jobs.ts'
import { certificateNotice, message, recipient } from '../../support/fixtures.ts'

const mail = { message: message(), recipients: [recipient()], notBefore: null }

const bodies: [name: string, body: object, isJob: boolean][] = [
  ['mail', mail, true],
  ['a notice', certificateNotice(), true],
  ['mail with the kind of a notice', { ...mail, kind: 'UnknownCertificate' }, false],
  ['a notice with mail in it', { ...certificateNotice(), ...mail }, false],
  ['a notice of another kind', { ...certificateNotice(), kind: 'Other' }, false],
  ['a notice without a certificate', { ...certificateNotice(), presented: null }, false],
]
for (const [name, body, isJob] of bodies)
  test(`${name} is ${isJob ? 'a job' : 'no job'} of the evaluation queue`, () => {
    const { success, data } = EvaluationQueueJob.safeParse(JSON.parse(JSON.stringify(body)))
    assert.equal(success, isJob)
    if (isJob) assert.deepEqual(data, body)
  })

test('parts hold at most a hundred items, in their order', () => {
  const items = Array.from({ length: 250 }, (_, index) => index)
  const parts = splitForJobs(items)
  assert.deepEqual(
    parts.map((part) => part.length),
    [100, 100, 50],
  )
  assert.deepEqual(parts.flat(), items)
})

test('parts hold at most the octets of a job, and a larger item is a part by itself', () => {
  const sizes = [50_000, 50_000, 50_000, 200_000, 10]
  const parts = splitForJobs(sizes.map((size) => '\u00e9'.repeat(size / 2)))
  assert.deepEqual(
    parts.map((part) => part.length),
    [2, 1, 1, 1],
  )
})

test('an empty list has no parts', () => {
  assert.deepEqual(splitForJobs([]), [])
})
