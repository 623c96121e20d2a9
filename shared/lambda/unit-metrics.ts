/** The metrics of functions, in CloudWatch's embedded metric format. */
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { dimensionValue, metricNamespace } from '../contract/metrics.ts'
import { stackName } from './stack-name.ts'

/** Creates the metrics of a function, with the dimensions `service`, its name, and `stack`. */
export const unitMetrics = (unit: string): Metrics =>
  new Metrics({
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
