import type { Duration } from 'aws-cdk-lib'
import { type IMetric, MathExpression } from 'aws-cdk-lib/aws-cloudwatch'

/** A sum of metrics. A missing value counts as 0: in metric math, the sum with a missing value is missing. */
export function sum(
  label: string,
  period: Duration,
  metrics: Readonly<Record<string, IMetric>>,
): MathExpression {
  const expression = Object.keys(metrics)
    .map((name) => `FILL(${name}, 0)`)
    .join(' + ')
  return new MathExpression({ label, expression, usingMetrics: { ...metrics }, period })
}
