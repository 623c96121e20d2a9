import { Duration } from 'aws-cdk-lib'
import { Construct } from 'constructs'
import { snapshotKey } from '../../shared/contract/snapshot-object.ts'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'
import { PrivateBucket } from './private-bucket.ts'

/**
 * One object with all connectors, for processes that start. The connectors table has the same data, so a loss of the
 * object only makes these starts slower.
 */
export class SnapshotBucket extends Construct {
  readonly bucket: PrivateBucket

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.bucket = new PrivateBucket(this, config, {
      variable: 'SNAPSHOT_BUCKET',
      users: 'Only units of this stack use the bucket.',
      versioned: true,
      lifecycleRules: [{ noncurrentVersionExpiration: Duration.days(1), noncurrentVersionsToRetain: 3 }],
    })
  }

  /** Lets the unit read the object, and learn that there is none. */
  grantRead(unit: Unit): void {
    this.bucket.grantGet(unit, snapshotKey)
    this.bucket.grantList(unit, snapshotKey)
  }

  grantWrite(unit: Unit): void {
    this.bucket.grantStore(unit, snapshotKey)
  }
}
