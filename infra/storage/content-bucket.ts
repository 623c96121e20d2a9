import { Duration } from 'aws-cdk-lib'
import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'
import { PrivateBucket } from './private-bucket.ts'

const ulidPattern = '?'.repeat(26)

/** Patterns of whole keys (shared/content/content-key.ts), and of those of version 0.2 without the digits of a hash. */
const contentKeyPatterns = ['??/', ''].flatMap((hash) => [
  `segments/${hash}${ulidPattern}`,
  `messages/${hash}${ulidPattern}`,
  `reports/${hash}${ulidPattern}`,
  `dsn/${hash}${ulidPattern}-${'?'.repeat(16)}`,
])

/**
 * The content of messages in transit. An object is written once under a new key, and only an erasure changes it. It is not
 * versioned: an old version would keep mail beyond its retention.
 */
export class ContentBucket extends Construct {
  readonly bucket: PrivateBucket

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.bucket = new PrivateBucket(this, config, {
      variable: 'CONTENT_BUCKET',
      users: 'Units of this stack use the bucket, and each logs its calls.',
      patternReason:
        'A key holds a ULID made when the message arrives, so only all keys of this one bucket can be named.',
      lifecycleRules: [
        { expiration: Duration.days(config.contentRetentionDays) },
        { abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
    })
  }

  /** Lets the unit store messages. */
  grantWrite(unit: Unit): void {
    this.bucket.grantStore(unit, '*')
  }

  /** Lets the unit store messages, also those that are too large for one request. */
  grantUpload(unit: Unit): void {
    this.grantWrite(unit)
    this.bucket.grantMultipart(unit, '*')
  }

  /** Lets the unit delete messages, and overwrite those of a segment. */
  grantErasing(unit: Unit): void {
    this.grantRead(unit)
    this.grantWrite(unit)
    this.bucket.grantRemoval(unit, '*')
  }

  /**
   * Lets the unit read messages, and learn that a message was deleted. It can list whole keys only, so that it does not
   * find the keys that it does not know.
   */
  grantRead(unit: Unit): void {
    this.bucket.grantGet(unit, '*')
    this.bucket.grantList(unit, ...contentKeyPatterns)
  }
}
