import { Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/** Suppresses findings of the AwsSolutions rules on a construct and its children, and records the reason. */
export function acknowledge(scope: IConstruct, reason: string, ...rules: readonly string[]): void {
  Validations.of(scope).acknowledge(...rules.map((rule) => ({ id: `AwsSolutions-${rule}`, reason })))
}
