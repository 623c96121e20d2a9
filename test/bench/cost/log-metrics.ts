/**
 * The metrics in log lines of the embedded metric format. CloudWatch bills each name with each set of dimension values
 * (https://aws.amazon.com/cloudwatch/pricing/).
 */
import type { Recording } from './recording.ts'

type Json = ReturnType<typeof JSON.parse>

/** @param logs the text of each unit's log */
export function metricsIn(logs: readonly (readonly [unit: string, text: string])[]): Recording['metrics'] {
  const metrics = new Map<string, Recording['metrics'][number]>()
  for (const [unit, text] of logs)
    for (const line of text.split('\n'))
      if (line.includes('"_aws"'))
        for (const [name, dimensions] of metricsOf(JSON.parse(line)))
          metrics.set(JSON.stringify([name, dimensions]), { unit, name, dimensions })
  return [...metrics.values()].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

function* metricsOf(entry: Json): Generator<[name: string, dimensions: string]> {
  for (const { Metrics, Dimensions } of entry._aws.CloudWatchMetrics)
    for (const { Name } of Metrics)
      for (const names of Dimensions.length === 0 ? [[]] : Dimensions)
        yield [Name, names.map((name: string) => `${name}=${entry[name]}`).join(', ')]
}
