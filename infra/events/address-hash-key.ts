import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import { grantKeyUse } from '../encryption-key.ts'
import { retained } from '../storage/retained.ts'
import type { Unit } from '../unit.ts'

/** The secret with the key that hashes addresses in events. Without the setting there is none. */
export class AddressHashKey extends Construct {
  readonly #config: Config
  readonly #secretArn: string | null

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.#config = config
    this.#secretArn = config.hashEventAddresses ? this.#createSecret(config) : null
  }

  /** Lets the unit find addresses in events. */
  grantRead(unit: Unit): void {
    if (this.#secretArn === null) return
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources: [this.#secretArn] }),
    )
    grantKeyUse(unit, this.#config, 'secretsmanager', 'Decrypt')
    unit.addEnvironment('ADDRESS_HASH_SECRET_ARN', this.#secretArn)
  }

  /** Lets the unit hash the addresses in events, except the deployment's own two. */
  grantHashing(unit: Unit): void {
    if (this.#secretArn === null) return
    this.grantRead(unit)
    const { postmaster, tlsReportAddress } = this.#config
    if (postmaster !== undefined) unit.addEnvironment('POSTMASTER_ADDRESS', postmaster)
    if (tlsReportAddress !== undefined) unit.addEnvironment('TLS_REPORT_ADDRESS', tlsReportAddress)
  }

  #createSecret({ encryptionKeyArn }: Config): string {
    const secret = new CfnSecret(this, 'Secret', {
      description: 'Key that hashes the addresses in events. Without it, they cannot be found by an address',
      // CloudFormation generates another key if these change.
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
      ...(encryptionKeyArn !== undefined && { kmsKeyId: encryptionKeyArn }),
    })
    secret.applyRemovalPolicy(retained)
    acknowledge(secret, 'With another key, addresses in earlier events could not be found.', 'SMG4')
    return secret.ref
  }
}
