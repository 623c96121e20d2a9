import { ArnFormat, Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { UnitFunction } from '../unit.ts'

/** Lets the unit tell the account's event bus of certificates that changed, and of nothing else. */
export function grantCertificateEvents(unit: UnitFunction): void {
  const bus = Stack.of(unit).formatArn({
    service: 'events',
    resource: 'event-bus',
    resourceName: 'default',
    arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
  })
  unit.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({
      actions: ['events:PutEvents'],
      resources: [bus],
      // A call may hold events of several sources, so the key has several values.
      conditions: { 'ForAllValues:StringEquals': { 'events:source': 'mailflow' } },
    }),
  )
}
