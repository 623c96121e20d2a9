/**
 * Reads metrics from a line of a log in CloudWatch's embedded metric format
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
 */
import * as z from 'zod'
import { parseJson } from '../../../shared/contract/parse-json.ts'
import type { MetricId } from './metric-store.ts'

export interface MetricValue {
  readonly metric: MetricId
  readonly value: number
  /** Milliseconds since the epoch. */
  readonly at: number
}

const Line = z.looseObject({
  _aws: z.object({
    Timestamp: z.number(),
    CloudWatchMetrics: z.array(
      z.object({
        Namespace: z.string(),
        Dimensions: z.array(z.array(z.string())),
        Metrics: z.array(z.object({ Name: z.string() })),
      }),
    ),
  }),
})

/** A metric has a value, or a list of values. */
const Values = z.union([z.number().transform((value) => [value]), z.array(z.number())])

/** Returns no values for a line that is not in this format. */
export function readEmbeddedMetrics(line: string): MetricValue[] {
  if (!line.includes('"_aws"')) return []
  const { data } = Line.safeParse(parseJson(line))
  if (data === undefined) return []
  const { _aws: directives, ...members } = data
  return directives.CloudWatchMetrics.flatMap(({ Namespace: namespace, Dimensions, Metrics }) =>
    Dimensions.flatMap((names) => {
      const dimensions = Object.fromEntries(names.map((name) => [name, String(members[name])]))
      return Metrics.flatMap(({ Name: name }) =>
        (Values.safeParse(members[name]).data ?? []).map((value) => ({
          metric: { namespace, name, dimensions },
          value,
          at: directives.Timestamp,
        })),
      )
    }),
  )
}
