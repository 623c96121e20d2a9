/** The metrics of functions, in CloudWatch's embedded metric format. */
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { dimensionValue, metricNamespace } from '../contract/metrics.ts'
import { stackName } from './stack-name.ts'

/** The counts of an invocation are published together: each published line costs money. */
export class UnitMetrics extends Metrics {
  readonly #counts = new Map<string, { name: string; dimension: string; value: string; count: number }>()

  /** Counts with one more dimension, such as `action` for verdicts. */
  countBy(name: string, dimension: string, value: string, count = 1): void {
    const key = [name, dimension, value].join('\0')
    const entry = this.#counts.get(key) ?? { name, dimension, value, count: 0 }
    entry.count += count
    this.#counts.set(key, entry)
  }

  override hasStoredMetrics(): boolean {
    return super.hasStoredMetrics() || this.#counts.size > 0
  }

  override publishStoredMetrics(): this {
    if (super.hasStoredMetrics()) super.publishStoredMetrics()
    const counts = [...this.#counts.values()]
    this.#counts.clear()
    for (const { name, dimension, value, count } of counts)
      this.singleMetric().addDimension(dimension, value).addMetric(name, MetricUnit.Count, count)
    return this
  }
}

/** Creates the metrics of a function, with the dimensions `service`, its name, and `stack`. */
export const unitMetrics = (unit: string): UnitMetrics =>
  new UnitMetrics({
    namespace: metricNamespace,
    serviceName: unit,
    defaultDimensions: { stack: stackName },
  })

/**
 * Counts once for the stack, and once with the dimension `connector`. The dimension with the function's name is omitted,
 * because several units count the same metric.
 */
export function countByConnector(
  metrics: Pick<Metrics, 'singleMetric'>,
  metricName: string,
  connector: string,
): void {
  const metric = metrics.singleMetric()
  metric.clearDefaultDimensions()
  metric.addDimensions({ stack: stackName })
  metric.addDimensions({ stack: stackName, connector: dimensionValue(connector) })
  metric.addMetric(metricName, MetricUnit.Count, 1)
}
