import { Secret as ContainerSecret } from 'aws-cdk-lib/aws-ecs'
import { type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import type { Config } from '../config.ts'

/**
 * The certificate and key that the ingress presents, or one of each kind (RSA, ECDSA). They are made outside the
 * stack, so that no template and no state of CloudFormation ever holds the key; a task reads them when it starts, so a
 * renewal takes a new deployment.
 */
export class TlsCertificate extends Construct {
  private readonly secret: ISecret
  private readonly keyArn: string | undefined

  constructor(scope: Construct, id: string, { tlsSecretArn, tlsSecretKeyArn }: Config) {
    super(scope, id)
    this.secret = Secret.fromSecretCompleteArn(this, 'Secret', tlsSecretArn)
    this.keyArn = tlsSecretKeyArn
  }

  /** Lets the role that starts containers decrypt the secret; that it may read it follows from their definition. */
  grantDecrypt(role: IRole): void {
    if (this.keyArn === undefined) return
    role.addToPrincipalPolicy(new PolicyStatement({ actions: ['kms:Decrypt'], resources: [this.keyArn] }))
  }

  /** What a container's definition takes as `secrets`. */
  containerSecrets(): Record<string, ContainerSecret> {
    return {
      TLS_CERTIFICATE: ContainerSecret.fromSecretsManager(this.secret, 'certificate'),
      TLS_PRIVATE_KEY: ContainerSecret.fromSecretsManager(this.secret, 'privateKey'),
    }
  }
}
