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
import { type AlarmText, alarmDescription, alarmName } from '../../shared/contract/alarms.ts'

export interface AlarmProps extends AlarmText {
  readonly metric: IMetric
  readonly threshold: number
  /** Which side of the threshold raises the alarm. @default at or above it */
  readonly comparison?: ComparisonOperator
  /** Consecutive periods that must breach. @default 1 */
  readonly periods?: number
  /**
   * Notifies administrators when data that the alarm has had is missing. @default false: missing data is within the
   * threshold, because the metrics count events
   */
  readonly notifiesOfMissingData?: boolean
}

/** An alarm whose description states its effect and its runbook entry. */
export class Alarm extends CloudWatchAlarm {
  constructor(scope: Construct, id: string, props: AlarmProps, topic: ITopic) {
    super(scope, id, {
      alarmName: alarmName(Stack.of(scope).stackName, props),
      alarmDescription: alarmDescription(props),
      metric: props.metric,
      threshold: props.threshold,
      comparisonOperator: props.comparison ?? ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: props.periods ?? 1,
      treatMissingData: props.notifiesOfMissingData
        ? TreatMissingData.MISSING
        : TreatMissingData.NOT_BREACHING,
    })
    if (props.notifiesOfMissingData) this.addInsufficientDataAction(new SnsAction(topic))
    this.addAlarmAction(new SnsAction(topic))
    this.addOkAction(new SnsAction(topic))
  }
}
