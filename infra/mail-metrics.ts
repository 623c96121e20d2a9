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
    const expression = this.searchExpression(metricName, dimension)
    return new MathExpression({ expression, usingMetrics: {}, label, period: Duration.minutes(5) })
  }

  /**
   * The same as an expression of metric math.
   * @param unit the function that publishes the metric with its name as the dimension `service`
   */
  searchExpression(
    metricName: string,
    dimension: string,
    { unit, statistic = 'Sum', period = Duration.minutes(5) }: SearchOptions = {},
  ): string {
    const schema = [metricNamespace, ...(unit === undefined ? [] : ['service']), 'stack', dimension].join(',')
    const terms = [
      `{${schema}}`,
      ...(unit === undefined ? [] : [`service="${unit}"`]),
      `stack="${this.stack}"`,
      `MetricName="${metricName}"`,
    ]
    return `SEARCH('${terms.join(' ')}', '${statistic}', ${period.toSeconds()})`
  }
}

interface SearchOptions {
  readonly unit?: string
  /** @default the sum */
  readonly statistic?: 'Sum' | 'Minimum'
  /** @default five minutes */
  readonly period?: Duration
}
