import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EvaluationQueueJob, splitForJobs } from '../../../shared/contract/jobs.ts'
import { certificateNotice, message, recipient } from '../../support/fixtures.ts'

const mail = { message: message(), recipients: [recipient()], notBefore: null }

const notice = certificateNotice()
const bodies: [name: string, body: object, job: object | null][] = [
  ['a message', mail, mail],
  ['a notice of an unknown certificate', notice, notice],
  ['a message with a field of a later version', { ...mail, later: 1 }, mail],
  ['a message with a feature', { ...mail, requires: ['later'] }, { ...mail, requires: ['later'] }],
  ['a notice with the fields of a message', { ...notice, ...mail }, notice],
  ['a message with the kind of a notice', { ...mail, kind: 'UnknownCertificate' }, null],
  ['a notice of an unknown kind', { ...notice, kind: 'Other' }, null],
  ['a notice without a certificate', { ...notice, presented: null }, null],
]
for (const [name, body, job] of bodies)
  test(`${name} is ${job === null ? 'refused' : 'accepted'} as a job of the evaluation queue`, () => {
    const { success, data } = EvaluationQueueJob.safeParse(JSON.parse(JSON.stringify(body)))
    assert.equal(success, job !== null)
    if (job !== null) assert.deepEqual(data, job)
  })

test('splitForJobs returns parts of at most a hundred items, in order', () => {
  const items = Array.from({ length: 250 }, (_, index) => index)
  const parts = splitForJobs(items)
  assert.deepEqual(
    parts.map((part) => part.length),
    [100, 100, 50],
  )
  assert.deepEqual(parts.flat(), items)
})

test('splitForJobs counts an escape for each character above U+FFFF, as it is sent', () => {
  const parts = splitForJobs(Array.from({ length: 4 }, () => '\u{1f600}'.repeat(4_000)))
  assert.deepEqual(
    parts.map(({ length }) => length),
    [2, 2],
  )
})

test('splitForJobs returns parts that fit into a job, and a larger item as a part by itself', () => {
  const sizes = [50_000, 50_000, 50_000, 200_000, 10]
  const parts = splitForJobs(sizes.map((size) => '\u00e9'.repeat(size / 2)))
  assert.deepEqual(
    parts.map((part) => part.length),
    [2, 1, 1, 1],
  )
})

test('splitForJobs returns no parts for an empty list', () => {
  assert.deepEqual(splitForJobs([]), [])
})
