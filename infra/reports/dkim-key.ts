import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'

/** Lets the unit read the key that signs reports and summaries, if there is one. */
export function grantDkimKey(unit: Unit, { tlsReporting: { dkim } }: Pick<Config, 'tlsReporting'>): void {
  if (dkim === undefined) return
  unit.addEnvironment('DKIM_DOMAIN', dkim.domain)
  unit.addEnvironment('DKIM_SELECTOR', dkim.selector)
  unit.addEnvironment('DKIM_SECRET_ARN', dkim.secretArn)
  const allow = (action: string, resource: string) =>
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: [action], resources: [resource] }),
    )
  allow('secretsmanager:GetSecretValue', dkim.secretArn)
  if (dkim.secretKeyArn !== undefined) allow('kms:Decrypt', dkim.secretKeyArn)
}
