import { RemovalPolicy } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'
import { AcmCertificates } from './acm-certificates.ts'

/**
 * The secret with our certificates and their keys (shared/contract/certificates.ts): one that an administrator made, or
 * one of the stack's own for certificates of ACM. Either way it is filled outside the template, so that no state of
 * CloudFormation ever holds a key.
 */
export class TlsCertificate extends Construct {
  /** Of ACM; none where an administrator fills the secret. */
  readonly acmArns: readonly string[]
  readonly secretArn: string
  private readonly keyArn: string | undefined

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    const { tlsSecretArn, tlsSecretKeyArn } = config
    this.keyArn = tlsSecretKeyArn
    this.acmArns = tlsSecretArn === undefined ? new AcmCertificates(this, 'Acm', config).arns : []
    this.secretArn = tlsSecretArn ?? this.ownSecret()
  }

  /** Lets the unit read certificates and keys, and tells it where. */
  grantRead(unit: Unit): void {
    this.allow(unit, ['secretsmanager:GetSecretValue'], [this.secretArn])
    if (this.keyArn !== undefined) this.allow(unit, ['kms:Decrypt'], [this.keyArn])
    unit.addEnvironment('TLS_SECRET_ARN', this.secretArn)
  }

  /** Lets the unit put other certificates in their place, and get those of ACM with their keys. */
  grantRotation(unit: Unit): void {
    this.grantRead(unit)
    this.allow(
      unit,
      ['secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecretVersionStage'],
      [this.secretArn],
    )
    if (this.keyArn !== undefined) this.allow(unit, ['kms:GenerateDataKey'], [this.keyArn])
    if (this.acmArns.length === 0) return
    this.allow(unit, ['acm:GetCertificate', 'acm:ExportCertificate'], [...this.acmArns])
    unit.addEnvironment('ACM_CERTIFICATE_ARNS', this.acmArns.join(','))
  }

  /** Without a value: a function fills it before the first task starts. */
  private ownSecret(): string {
    const secret = new CfnSecret(this, 'Secret', {
      description: 'Certificates of the SMTP ingress with their private keys, written by rotate-certificate',
      ...(this.keyArn && { kmsKeyId: this.keyArn }),
    })
    secret.applyRemovalPolicy(RemovalPolicy.RETAIN)
    acknowledge(secret, 'ACM renews what is in it, and rotate-certificate puts it there.', 'SMG4')
    return secret.ref
  }

  private allow(unit: Unit, actions: string[], resources: string[]): void {
    unit.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions, resources }))
  }
}
