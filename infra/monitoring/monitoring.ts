import { Construct } from 'constructs'
import { Alarms } from './alarms.ts'
import { AlarmsTopic } from './alarms-topic.ts'
import { MailDashboard } from './dashboard/mail-dashboard.ts'
import type { MonitoredParts } from './monitored-parts.ts'

/** The dashboard, the alarms, and the topic that they notify. */
export class Monitoring extends Construct {
  constructor(scope: Construct, id: string, parts: MonitoredParts) {
    super(scope, id)
    const { topic } = new AlarmsTopic(this, 'Topic', parts.config)
    const { all } = new Alarms(this, 'Alarms', parts, topic)
    new MailDashboard(this, 'Dashboard', parts, all)
  }
}
