import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod'
import { readJob } from '../../../shared/lambda/read-job.ts'

const Job = z.discriminatedUnion('kind', [
  z.object({
    kind: z.undefined().optional(),
    n: z.int(),
    route: z.strictObject({ to: z.string() }).optional(),
  }),
  z.object({ kind: z.literal('Other'), of: z.object({ a: z.int() }) }),
])

const cases: [body: string, kind: string, reason?: string][] = [
  ['{"n":1}', 'Job'],
  ['{"n":1,"more":1}', 'Job'],
  ['{"n":1,"requires":[]}', 'Job'],
  ['{"kind":"Other","of":{"a":1,"more":1}}', 'Job'],
  ['{"n":1,"requires":["later"]}', 'FeatureUnknown', 'The job requires unknown features: later'],
  [
    '{"kind":"Third","requires":["third","later"]}',
    'FeatureUnknown',
    'The job requires unknown features: third, later',
  ],
  [
    '{"n":1,"route":{"to":"x","only":1,"if":1}}',
    'FeatureUnknown',
    'The job has unknown fields: route.only, route.if',
  ],
  ['{"n":"secret","route":{"to":"x","if":1}}', 'Unreadable', 'n (invalid_type), route (unrecognized_keys)'],
  ['{"n":"secret"}', 'Unreadable', 'n (invalid_type)'],
  ['{"kind":"Third"}', 'Unreadable', 'kind (invalid_union)'],
  ['{"kind":"Other","of":{"a":"secret"}}', 'Unreadable', 'of.a (invalid_type)'],
  ['{"n":1,', 'Unreadable', 'body (invalid_type)'],
  ['null', 'Unreadable', 'body (invalid_type)'],
]
for (const [body, kind, reason] of cases)
  test(`the body ${body} is read as ${kind}${reason === undefined ? '' : `: ${reason}`}`, () => {
    const result = readJob(Job, body)
    assert.equal(result.kind, kind)
    if (result.kind !== 'Job')
      assert.equal(result.reason.replace('The record is not a job of this queue: ', ''), reason)
  })
