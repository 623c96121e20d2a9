import { Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type BucketProps,
  type CfnBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import { encryptionKey, grantKeyUse } from '../encryption-key.ts'
import type { Unit } from '../unit.ts'
import { retained } from './retained.ts'

export interface PrivateBucketProps extends Pick<BucketProps, 'versioned' | 'lifecycleRules'> {
  /** The environment variable with the bucket's name. */
  readonly variable: string
  /** Who uses the bucket, as a sentence: why it has no access log. */
  readonly users: string
  /** Why units may use all keys of a pattern; absent where each unit names one key. */
  readonly patternReason?: string
}

/**
 * A bucket that only units of the stack use, encrypted, over TLS 1.2 or later. With a key of KMS it has a bucket key,
 * which saves a call of KMS for each object (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html).
 */
export class PrivateBucket extends Bucket {
  private readonly config: Config
  private readonly props: PrivateBucketProps

  constructor(scope: Construct, config: Config, props: PrivateBucketProps) {
    const key = encryptionKey(scope, config)
    super(scope, 'Bucket', {
      ...(key === undefined
        ? { encryption: BucketEncryption.S3_MANAGED }
        : { encryption: BucketEncryption.KMS, encryptionKey: key, bucketKeyEnabled: true }),
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: retained,
      versioned: props.versioned ?? false,
      ...(props.lifecycleRules && { lifecycleRules: props.lifecycleRules }),
    })
    this.config = config
    this.props = props
    acknowledge(this, `${props.users} To audit object access, use CloudTrail data events.`, 'S1')
  }

  /** Lets the unit read the objects whose keys have these patterns. */
  grantGet(unit: Unit, ...patterns: readonly string[]): void {
    this.grantObjects(unit, 's3:GetObject', patterns)
    grantKeyUse(unit, this.config, 's3', 'Decrypt')
  }

  /** Lets the unit write the objects whose keys have these patterns. */
  grantStore(unit: Unit, ...patterns: readonly string[]): void {
    this.grantObjects(unit, 's3:PutObject', patterns)
    grantKeyUse(unit, this.config, 's3', 'GenerateDataKey')
  }

  /** Lets the unit give tags to the objects that it writes. */
  grantTagging(unit: Unit, ...patterns: readonly string[]): void {
    this.grantObjects(unit, 's3:PutObjectTagging', patterns)
  }

  /** Lets the unit delete the objects whose keys have these patterns. */
  grantRemoval(unit: Unit, ...patterns: readonly string[]): void {
    this.grantObjects(unit, 's3:DeleteObject', patterns)
  }

  /** Lets the unit send large objects in parts. S3 decrypts the parts with its permissions when it completes them. */
  grantMultipart(unit: Unit, ...patterns: readonly string[]): void {
    this.grantObjects(unit, 's3:AbortMultipartUpload', patterns)
    grantKeyUse(unit, this.config, 's3', 'Decrypt')
  }

  /**
   * Lets the unit list keys that begin with these patterns. Without it, S3 answers `AccessDenied` and not `NoSuchKey` for
   * an object that does not exist.
   */
  grantList(unit: Unit, ...patterns: readonly string[]): void {
    const conditions = { StringLike: { 's3:prefix': patterns } }
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['s3:ListBucket'], resources: [this.bucketArn], conditions }),
    )
  }

  /** Lets the unit read the bucket's Region, as Athena does before it stores a result. */
  grantLocation(unit: Unit): void {
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['s3:GetBucketLocation'], resources: [this.bucketArn] }),
    )
  }

  private grantObjects(unit: Unit, action: string, patterns: readonly string[]): void {
    const resources = patterns.map((pattern) => this.arnForObjects(pattern))
    unit.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions: [action], resources }))
    const { patternReason, variable } = this.props
    const logicalId = Stack.of(this).getLogicalId(this.node.defaultChild as CfnBucket)
    const findings = patterns.map((pattern) => `IAM5[Resource::<${logicalId}.Arn>/${pattern}]`)
    if (patternReason !== undefined) acknowledge(unit.permissions, patternReason, ...findings)
    unit.addEnvironment(variable, this.bucketName)
  }
}
