import { Duration } from 'aws-cdk-lib'
import { Metric as CloudWatchMetric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { metricNamespace } from '../../shared/contract/metrics.ts'

/** One of our own metrics: by default its sum over five minutes. */
export function mailMetric(metricName: string, options: MetricOptions = {}): CloudWatchMetric {
  return new CloudWatchMetric({
    namespace: metricNamespace,
    metricName,
    statistic: Stats.SUM,
    period: Duration.minutes(5),
    ...options,
  })
}
