/**
 * Jobs between versions, as a deployment or a rollback mixes them. `test/fixtures/jobs/0.2` holds one job of each kind of
 * release 0.2, and the JSON Schemas of its readers. That release refused every unknown field. So it can read a job of
 * this version only if the job has no field that this version added: neither `requires` nor a new optional field. Later
 * releases ignore such fields, except in a route and in a TLS requirement. `addedFields` are the exceptions: a release
 * without them moves such jobs to its dead letters, from which this version reads them. The field `authentication` of
 * mail from outside is in every job.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { BounceJob, DeliveryJob, EvaluationQueueJob } from '../../../shared/contract/jobs.ts'
import { readJob } from '../../../shared/lambda/read-job.ts'
import { modes, simulate } from '../../functions/pipeline/simulation.ts'
import { certificateNotice } from '../../support/fixtures.ts'
import { MemoryTable } from '../../support/pipeline/table.ts'

type Queue = 'evaluation' | 'delivery' | 'bounce'
type Json = Record<string, unknown>

const folder = join(import.meta.dirname, '../../fixtures/jobs/0.2')
const read = (path: string): Json => JSON.parse(readFileSync(path, 'utf8'))
const readers = { evaluation: EvaluationQueueJob, delivery: DeliveryJob, bounce: BounceJob }
const earlierReader = (queue: Queue) => z.fromJSONSchema(read(join(folder, 'schemas', `${queue}.json`)))
const earlierReaders = {
  evaluation: earlierReader('evaluation'),
  delivery: earlierReader('delivery'),
  bounce: earlierReader('bounce'),
}

const jobs = globSync(`${folder}/*.json`)
  .sort()
  .map((path) => ({
    name: basename(path, '.json'),
    queue: basename(path).split('-')[0] as Queue,
    job: read(path),
  }))

describe('this version reads a job of release 0.2 without a change:', () => {
  for (const { name, queue, job } of jobs)
    test(name, () => {
      const result = readJob(readers[queue], JSON.stringify(job))
      assert.deepEqual(result, { kind: 'Job', job })
    })
})

/** The job with an unknown field in each of its objects that has none of the names. */
function withUnknownFields(value: unknown, names: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => withUnknownFields(item, names))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, field]) => [
    name,
    names.includes(name) ? field : withUnknownFields(field, names),
  ])
  return { ...Object.fromEntries(entries), later: { field: true } }
}

describe('this version ignores the unknown fields of a later release:', () => {
  for (const { name, queue, job } of jobs)
    test(name, () => {
      const names = queue === 'delivery' ? ['route', 'tls'] : []
      const later = {
        ...(withUnknownFields(job, names) as Json),
        message: withUnknownFields(job.message, []),
      }
      assert.deepEqual(readJob(readers[queue], JSON.stringify(later)), { kind: 'Job', job })
    })
})

describe('this version leaves on the queue a job of a later release that it must not read:', () => {
  for (const { name, queue, job } of jobs)
    test(`${name} that requires a feature`, () => {
      const later = { ...job, requires: ['later'] }
      assert.equal(readJob(readers[queue], JSON.stringify(later)).kind, 'FeatureUnknown')
    })

  for (const { name, job } of jobs.filter(({ queue }) => queue === 'delivery'))
    for (const field of ['route', 'tls'])
      test(`${name} with an unknown field of \`${field}\``, () => {
        const later = { ...job, [field]: { ...(job[field] as Json), later: 1 } }
        assert.deepEqual(readJob(DeliveryJob, JSON.stringify(later)), {
          kind: 'FeatureUnknown',
          reason: `The job has unknown fields: ${field}.later`,
        })
      })
})

const queueOf: Readonly<Record<string, Queue>> = {
  evaluate: 'evaluation',
  deliver: 'delivery',
  bounce: 'bounce',
}

/** Optional fields of this version: the ends of their paths. */
const addedFields: readonly string[] = ['attempted', 'lastAttempt.lost', 'message.headerMessageId']

const unknownFieldsOf = (issue: z.core.$ZodIssue): string[] =>
  issue.code === 'unrecognized_keys'
    ? issue.keys.map((key) => [...issue.path, key].join('.'))
    : [`${issue.path.join('.')} (${issue.code})`]

test('release 0.2 reads every job of the pipeline of this version, apart from the results of an authentication and the added fields', async () => {
  const counts = { evaluation: 0, delivery: 0, bounce: 0 }
  const found = new Set<string>()
  for (const mode of Object.values(modes)) {
    const { sent } = await simulate(mode, 1, new MemoryTable())
    for (const { unit, body } of sent) {
      const queue = queueOf[unit]
      if (queue === undefined) continue
      counts[queue] += 1
      const job = JSON.parse(body)
      const { error } = earlierReaders[queue].safeParse(job)
      const unknown = (error?.issues ?? []).flatMap(unknownFieldsOf)
      const isAdded = (path: string) => addedFields.some((field) => path.endsWith(field))
      for (const field of addedFields) if (unknown.some((path) => path.endsWith(field))) found.add(field)
      assert.deepEqual(
        unknown.filter((path) => !isAdded(path)),
        job.message.authentication === undefined ? [] : ['message.authentication'],
        body,
      )
    }
  }
  for (const [queue, count] of Object.entries(counts)) assert.ok(count > 0, `jobs for ${queue} were sent`)
  assert.deepEqual([...found].sort(), [...addedFields].sort())
})

test('release 0.2 reads a notice of this version', () => {
  assert.ok(earlierReaders.evaluation.safeParse(certificateNotice()).success)
})

describe('release 0.2 cannot read, and moves to its dead letters after thirty receives:', () => {
  for (const { name, queue, job } of jobs)
    test(`${name} with a new field`, () => {
      for (const field of ['later', 'requires'])
        assert.equal(earlierReaders[queue].safeParse({ ...job, [field]: [] }).success, false)
    })
})

describe('release 0.2 cannot read a delivery job, and so never sends its mail without the policy, if it has', () => {
  for (const field of ['smtpDaneMode', 'mtaStsMode'])
    test(`${field} Mandatory`, () => {
      const { job } = jobs.find(({ name }) => name === 'delivery-mx') ?? assert.fail('no such job')
      const read = (mode: string) =>
        earlierReaders.delivery.safeParse({ ...job, tls: { ...(job.tls as Json), [field]: mode } }).success
      assert.deepEqual([read('Opportunistic'), read('Mandatory')], [true, false])
    })
})
