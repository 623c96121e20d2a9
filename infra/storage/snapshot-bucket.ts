import { Duration } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { snapshotKey } from '../../shared/contract/snapshot-object.ts'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import { encryptionKey, grantKeyUse } from '../encryption-key.ts'
import type { Unit } from '../unit.ts'
import { retained } from './retained.ts'

/**
 * One object with all connectors, for processes that start. The connectors table has the same data, so a loss of the
 * object only makes these starts slower.
 */
export class SnapshotBucket extends Construct {
  readonly bucket: Bucket
  private readonly config: Config

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.config = config
    const key = encryptionKey(this, config)
    this.bucket = new Bucket(this, 'Bucket', {
      ...(key === undefined
        ? { encryption: BucketEncryption.S3_MANAGED }
        : { encryption: BucketEncryption.KMS, encryptionKey: key, bucketKeyEnabled: true }),
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: true,
      removalPolicy: retained,
      lifecycleRules: [{ noncurrentVersionExpiration: Duration.days(1), noncurrentVersionsToRetain: 3 }],
    })
    acknowledge(
      this.bucket,
      'Only units of this stack use the bucket. To audit object access, use CloudTrail data events.',
      'S1',
    )
  }

  /** Lets the unit read the object, and learn that there is none, for which S3 asks for permission to list its key. */
  grantRead(unit: Unit): void {
    this.allow(unit, 's3:GetObject')
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [this.bucket.bucketArn],
        conditions: { StringEquals: { 's3:prefix': snapshotKey } },
      }),
    )
    grantKeyUse(unit, this.config, 's3', 'Decrypt')
  }

  grantWrite(unit: Unit): void {
    this.allow(unit, 's3:PutObject')
    grantKeyUse(unit, this.config, 's3', 'GenerateDataKey')
  }

  private allow(unit: Unit, action: string): void {
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: [action], resources: [this.bucket.arnForObjects(snapshotKey)] }),
    )
    unit.addEnvironment('SNAPSHOT_BUCKET', this.bucket.bucketName)
  }
}
