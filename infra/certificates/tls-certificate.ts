import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'

/**
 * The secret with our certificates and their keys (shared/contract/certificates.ts). It is filled outside the template,
 * so that no state of CloudFormation ever holds a key.
 */
export class TlsCertificate extends Construct {
  private readonly secretArn: string
  private readonly keyArn: string | undefined

  constructor(scope: Construct, id: string, { tlsSecretArn, tlsSecretKeyArn }: Config) {
    super(scope, id)
    this.secretArn = tlsSecretArn
    this.keyArn = tlsSecretKeyArn
  }

  /** Lets the unit read certificates and keys, and tells it where. */
  grantRead(unit: Unit): void {
    this.allow(unit, ['secretsmanager:GetSecretValue'], this.secretArn)
    if (this.keyArn !== undefined) this.allow(unit, ['kms:Decrypt'], this.keyArn)
    unit.addEnvironment('TLS_SECRET_ARN', this.secretArn)
  }

  private allow(unit: Unit, actions: string[], resource: string): void {
    unit.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions, resources: [resource] }))
  }
}
