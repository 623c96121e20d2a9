import { Aws, CfnOutput, Duration, Stack } from 'aws-cdk-lib'
import { Dashboard, type IAlarm } from 'aws-cdk-lib/aws-cloudwatch'
import { Construct } from 'constructs'
import type { MonitoredParts } from '../monitored-parts.ts'
import { certificateRows } from './certificates.ts'
import { forcedTlsRule } from './forced-tls-rule.ts'
import { functionRows, ingressRows, queueRows } from './infrastructure.ts'
import { mailRows } from './mail.ts'
import { overviewRows } from './overview.ts'
import { heading } from './widgets.ts'

/** The dashboard. Its first screen answers whether mail flows; the sections below have the details. */
export class MailDashboard extends Construct {
  constructor(scope: Construct, id: string, parts: MonitoredParts, alarms: IAlarm[]) {
    super(scope, id)
    const failures = forcedTlsRule(this, 'ForcedTlsFailures', parts.functions.evaluate)
    // The dashboards of all Regions of an account have one name space
    // (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-dashboard.html).
    const name = `${Stack.of(this).stackName}-${Aws.REGION}`
    new Dashboard(this, 'Dashboard', {
      dashboardName: name,
      defaultInterval: Duration.hours(12),
      widgets: [
        ...overviewRows(parts, alarms, failures),
        [heading('Mail in detail')],
        ...mailRows(parts),
        [heading('Certificates')],
        ...certificateRows(parts),
        [heading('Ingress')],
        ...ingressRows(parts),
        [heading('Queues and functions')],
        ...queueRows(parts),
        ...functionRows(parts),
      ],
    })
    new CfnOutput(this, 'Url', {
      value: `https://${Aws.REGION}.console.aws.amazon.com/cloudwatch/home?region=${Aws.REGION}#dashboards/dashboard/${name}`,
      description: 'Dashboard',
    }).overrideLogicalId('DashboardUrl')
  }
}
