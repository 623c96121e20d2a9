import { Duration, Stack } from 'aws-cdk-lib'
import {
  Metric as CloudWatchMetric,
  type IMetric,
  MathExpression,
  type MetricOptions,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import { metricNamespace } from '../shared/contract/metrics.ts'

/** The metrics that the units of one stack publish. Each has the dimension `stack`. */
export class MailMetrics {
  private readonly stack: string

  constructor(scope: Construct) {
    this.stack = Stack.of(scope).stackName
  }

  /** A metric of the ingress. @default the sum over five minutes */
  ingress(metricName: string, options: MetricOptions = {}): CloudWatchMetric {
    return new CloudWatchMetric({
      namespace: metricNamespace,
      metricName,
      statistic: Stats.SUM,
      period: Duration.minutes(5),
      ...options,
      dimensionsMap: { stack: this.stack, ...options.dimensionsMap },
    })
  }

  /** A metric of a function, with the function's name as the dimension `service`. */
  function(unit: string, metricName: string, options: MetricOptions = {}): CloudWatchMetric {
    return this.ingress(metricName, {
      ...options,
      dimensionsMap: { service: unit, ...options.dimensionsMap },
    })
  }

  /** One metric for each value of a dimension whose values are not known in advance. */
  search(metricName: string, dimension: string, label: string): IMetric {
    const schema = `{${metricNamespace},stack,${dimension}}`
    const expression = `SEARCH('${schema} stack="${this.stack}" MetricName="${metricName}"', 'Sum', 300)`
    return new MathExpression({ expression, usingMetrics: {}, label, period: Duration.minutes(5) })
  }
}
