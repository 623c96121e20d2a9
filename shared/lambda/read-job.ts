/** Reads a job from the body of a queue's message. Pure. */
import type * as z from 'zod'
import { unknownFeatures } from '../contract/jobs.ts'
import { parseJson } from '../contract/parse-json.ts'
import { formatPath } from '../contract/schema-faults.ts'

export type ReadJob<Job> =
  | { kind: 'Job'; job: Job }
  /** Another version of the code may read the job, so it stays on the queue. */
  | { kind: 'FeatureUnknown'; reason: string }
  /** No version can read the job. */
  | { kind: 'Unreadable'; reason: string }

/**
 * A reason names each fault by its path, without values, because the values may be private mail.
 * @param schema ignores unknown fields, or refuses them where a reader must know every field
 */
export function readJob<T extends z.ZodType>(schema: T, body: string): ReadJob<z.output<T>> {
  const value = parseJson(body)
  const features = unknownFeatures(value)
  if (features.length > 0)
    return { kind: 'FeatureUnknown', reason: `The job requires unknown features: ${features.join(', ')}` }
  const parsed = schema.safeParse(value)
  if (parsed.success) return { kind: 'Job', job: parsed.data }
  const { issues } = parsed.error
  const unknownFields = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => formatPath([...issue.path, key])) : [],
  )
  if (issues.every(({ code }) => code === 'unrecognized_keys'))
    return { kind: 'FeatureUnknown', reason: `The job has unknown fields: ${unknownFields.join(', ')}` }
  const faults = issues.map(({ path, code }) => `${formatPath(path) || 'body'} (${code})`)
  return { kind: 'Unreadable', reason: `The record is not a job of this queue: ${faults.join(', ')}` }
}
