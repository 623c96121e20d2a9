/**
 * Counts metrics in memory and writes them periodically in CloudWatch's embedded metric format: one line for many
 * messages.
 */
import { ingressMetricsIntervalMs, metricNamespace } from '../../shared/contract/metrics.ts'
import { stackName } from '../../shared/lambda/stack-name.ts'

type Dimension = readonly [name: string, value: string]

export interface Count {
  metric: string
  dimension: Dimension | null
  count: number
}

export class Metrics {
  readonly #counts = new Map<string, Count>()

  count(metric: string, dimension: Dimension | null = null, amount = 1): void {
    const key = [metric, ...(dimension ?? [])].join('\0')
    const entry = this.#counts.get(key)
    if (entry) entry.count += amount
    else this.#counts.set(key, { metric, dimension, count: amount })
  }

  /** Resets the counts. @returns the previous counts */
  take(): Count[] {
    const counts = [...this.#counts.values()]
    this.#counts.clear()
    return counts
  }

  /** Resets the counts. @param gauges current values @returns lines in embedded metric format */
  flush(gauges: Readonly<Record<string, number>>, timestamp: number): string[] {
    const entries = [
      ...Object.entries(gauges).map(([metric, count]) => ({ metric, dimension: null, count })),
      ...this.take(),
    ]
    return [...Map.groupBy(entries, ({ dimension }) => dimension?.join('\0') ?? '').values()].map((group) =>
      emfLine(group[0]?.dimension ?? null, group, timestamp),
    )
  }
}

export interface MetricsWriterOptions {
  metrics: Metrics
  gauges(): Readonly<Record<string, number>>
  /** Takes a line with its line end. */
  write(line: string): void
  now(): Date
}

/** Writes metrics periodically. @returns a function that stops the timer and writes the remaining counts */
export function startMetricsWriter({ metrics, gauges, write, now }: MetricsWriterOptions): () => void {
  const flush = () => metrics.flush(gauges(), now().getTime()).forEach(write)
  const timer = setInterval(flush, ingressMetricsIntervalMs)
  return () => {
    clearInterval(timer)
    flush()
  }
}

function emfLine(
  dimension: Dimension | null,
  entries: readonly Pick<Count, 'metric' | 'count'>[],
  timestamp: number,
): string {
  const directive = {
    Namespace: metricNamespace,
    Dimensions: [['stack', ...(dimension ? [dimension[0]] : [])]],
    Metrics: entries.map(({ metric }) => ({ Name: metric, Unit: 'Count' })),
  }
  return `${JSON.stringify({
    _aws: { Timestamp: timestamp, CloudWatchMetrics: [directive] },
    stack: stackName,
    ...(dimension && { [dimension[0]]: dimension[1] }),
    ...Object.fromEntries(entries.map(({ metric, count }) => [metric, count])),
  })}\n`
}
