import { Duration } from 'aws-cdk-lib'
import { Metric as CloudWatchMetric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { metricNamespace } from '../shared/contract/metrics.ts'

/** A metric of the ingress. @default the sum over five minutes */
export function ingressMetric(metricName: string, options: MetricOptions = {}): CloudWatchMetric {
  const period = Duration.minutes(5)
  return new CloudWatchMetric({
    namespace: metricNamespace,
    metricName,
    statistic: Stats.SUM,
    period,
    ...options,
  })
}

/** A metric of a function. The metrics library adds the function's name as the dimension `service`. */
export function functionMetric(
  unit: string,
  metricName: string,
  options: MetricOptions = {},
): CloudWatchMetric {
  return ingressMetric(metricName, { ...options, dimensionsMap: { service: unit, ...options.dimensionsMap } })
}
