import { Stack } from 'aws-cdk-lib'
import { CfnInsightRule } from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import { forcedTlsFailureField } from '../../../shared/contract/metrics.ts'
import type { UnitFunction } from '../../unit.ts'

/**
 * Counts the log lines of failed forced TLS, by connector. Contributor Insights bills the rule and the lines that match:
 * 0.50 USD per month, 0.02 USD per million (us-east-1, aws.amazon.com/cloudwatch/pricing). A query of Logs Insights
 * would read every verdict at each view.
 */
export function forcedTlsRule(scope: Construct, id: string, evaluate: UnitFunction): CfnInsightRule {
  const stack = Stack.of(scope)
  const field = `$.${forcedTlsFailureField}`
  return new CfnInsightRule(scope, id, {
    ruleName: `${stack.stackName}-ForcedTlsFailures`,
    ruleState: 'ENABLED',
    // docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/ContributorInsights-RuleSyntax.html
    ruleBody: stack.toJsonString({
      Schema: { Name: 'CloudWatchLogRule', Version: 1 },
      LogGroupNames: [evaluate.logGroup.logGroupName],
      LogFormat: 'JSON',
      Contribution: { Keys: [field], Filters: [{ Match: field, IsPresent: true }] },
      AggregateOn: 'Count',
    }),
  })
}
