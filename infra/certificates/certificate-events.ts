import { ArnFormat, Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { UnitFunction } from '../unit.ts'

/** Lets the unit put events of the source `mailflow` on the account's event bus, and no other events. */
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
      // `ForAllValues`, because one call may contain events of several sources.
      conditions: { 'ForAllValues:StringEquals': { 'events:source': 'mailflow' } },
    }),
  )
}
