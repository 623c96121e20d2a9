import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EvaluationQueueJob, splitForJobs } from '../../../shared/contract/jobs.ts'
import { certificateNotice, message, recipient } from '../../support/fixtures.ts'

const mail = { message: message(), recipients: [recipient()], notBefore: null }

const bodies: [name: string, body: object, isJob: boolean][] = [
  ['a message', mail, true],
  ['a notice of an unknown certificate', certificateNotice(), true],
  ['a message with the kind of a notice', { ...mail, kind: 'UnknownCertificate' }, false],
  ['a notice with the fields of a message', { ...certificateNotice(), ...mail }, false],
  ['a notice of an unknown kind', { ...certificateNotice(), kind: 'Other' }, false],
  ['a notice without a certificate', { ...certificateNotice(), presented: null }, false],
]
for (const [name, body, isJob] of bodies)
  test(`${name} is ${isJob ? 'accepted' : 'refused'} as a job of the evaluation queue`, () => {
    const { success, data } = EvaluationQueueJob.safeParse(JSON.parse(JSON.stringify(body)))
    assert.equal(success, isJob)
    if (isJob) assert.deepEqual(data, body)
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
