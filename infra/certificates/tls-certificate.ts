import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import { retained } from '../storage/retained.ts'
import type { Unit } from '../unit.ts'
import { AcmCertificates } from './acm-certificates.ts'

/**
 * The secret with the ingress's certificates and keys (shared/contract/certificates.ts). An administrator created the
 * secret, or the stack creates it for the certificates of ACM. The secret's value is written outside the template, so
 * that CloudFormation never stores a key.
 */
export class TlsCertificate extends Construct {
  /** Certificates of ACM; empty when an administrator fills the secret. */
  readonly acmArns: readonly string[]
  readonly secretArn: string
  private readonly keyArn: string | undefined

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    const { tlsSecretArn, tlsSecretKeyArn } = config
    this.keyArn = tlsSecretKeyArn
    this.acmArns = tlsSecretArn === undefined ? new AcmCertificates(this, 'Acm', config).arns : []
    this.secretArn = tlsSecretArn ?? this.createSecret()
  }

  /** Lets the unit read certificates and keys. */
  grantRead(unit: Unit): void {
    this.allow(unit, ['secretsmanager:GetSecretValue'], [this.secretArn])
    if (this.keyArn !== undefined) this.allow(unit, ['kms:Decrypt'], [this.keyArn])
    unit.addEnvironment('TLS_SECRET_ARN', this.secretArn)
  }

  /** Lets the unit replace the certificates in the secret, and export certificates of ACM with their keys. */
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

  /** Creates the secret without a value: rotate-certificate fills it before the first task starts. */
  private createSecret(): string {
    const secret = new CfnSecret(this, 'Secret', {
      description: 'Certificates of the SMTP ingress with their private keys, written by rotate-certificate',
      ...(this.keyArn && { kmsKeyId: this.keyArn }),
    })
    secret.applyRemovalPolicy(retained)
    acknowledge(
      secret,
      'ACM renews the certificates, and rotate-certificate writes them into the secret.',
      'SMG4',
    )
    return secret.ref
  }

  private allow(unit: Unit, actions: string[], resources: string[]): void {
    unit.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions, resources }))
  }
}
