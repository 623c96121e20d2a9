import { BucketEncryption, type BucketProps } from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import type { Config } from '../config.ts'
import { encryptionKey } from '../encryption-key.ts'

/** A bucket key saves a call of KMS for each object (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html). */
export function bucketEncryption(scope: Construct, config: Config): Partial<BucketProps> {
  const key = encryptionKey(scope, config)
  if (key === undefined) return { encryption: BucketEncryption.S3_MANAGED }
  return { encryption: BucketEncryption.KMS, encryptionKey: key, bucketKeyEnabled: true }
}
