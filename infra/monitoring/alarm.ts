import { Stack } from 'aws-cdk-lib'
import {
  Alarm as CloudWatchAlarm,
  ComparisonOperator,
  type IMetric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'

export interface AlarmProps {
  /** What happened, in a few words; also the heading in docs/runbook.md. */
  readonly title: string
  /** What it means for mail, in one sentence: who notices, and what they notice. */
  readonly impact: string
  readonly metric: IMetric
  readonly threshold: number
  /** Which side of the threshold is bad; at or above it by default. */
  readonly comparison?: ComparisonOperator
  /** Periods of the metric that must all be bad. */
  readonly periods?: number
  /** What silence means; all is well by default, since our metrics count what happens. */
  readonly missing?: TreatMissingData
}

/** An alarm that says what it means for mail and where to read on. */
export class Alarm extends CloudWatchAlarm {
  constructor(scope: Construct, id: string, props: AlarmProps, topic?: ITopic) {
    super(scope, id, {
      alarmName: `${Stack.of(scope).stackName}: ${props.title}`,
      alarmDescription: `${props.impact} What to do: docs/runbook.md, "${props.title}".`,
      metric: props.metric,
      threshold: props.threshold,
      comparisonOperator: props.comparison ?? ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: props.periods ?? 1,
      treatMissingData: props.missing ?? TreatMissingData.NOT_BREACHING,
    })
    if (topic) this.addAlarmAction(new SnsAction(topic))
    if (topic) this.addOkAction(new SnsAction(topic))
  }
}
