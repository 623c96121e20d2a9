import { CfnOutput, Duration } from 'aws-cdk-lib'
import { Construct } from 'constructs'
import { keptDays, retentionParts, retentionTag } from '../../shared/contract/remaining-retention.ts'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'
import { PrivateBucket } from './private-bucket.ts'

/** The first part of each key. */
type Prefix = 'raw' | 'ids' | 'parquet' | 'rollups' | 'seals' | 'searches' | 'erasures'

/** Days in which an hour can still be sealed. */
const rawDays = 7
/** Seals compare with the ids of the last 49 hours. */
const idsDays = 4
const searchResultDays = 7

/**
 * What happened to mail and to the configuration: raw events, the Parquet files and rollups of sealed hours, results of
 * searches, and states of erasures. The bucket is not versioned: an old version would keep events beyond their retention.
 */
export class EventsBucket extends Construct {
  readonly bucket: PrivateBucket
  private readonly retentionDays: number

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.retentionDays = config.eventRetentionDays
    const expire = (prefix: Prefix, days: number) => ({
      id: prefix,
      prefix: `${prefix}/`,
      expiration: Duration.days(days),
    })
    this.bucket = new PrivateBucket(this, config, {
      variable: 'EVENTS_BUCKET',
      users: 'Units of this stack and Athena use the bucket, and each logs its calls.',
      patternReason: 'Keys hold the hour of their events, so only all keys of a prefix can be named.',
      lifecycleRules: [
        expire('raw', rawDays),
        expire('ids', idsDays),
        expire('parquet', config.eventRetentionDays),
        expire('rollups', config.eventRetentionDays),
        expire('seals', config.eventRetentionDays),
        expire('erasures', config.eventRetentionDays),
        { ...expire('searches', searchResultDays), abortIncompleteMultipartUploadAfter: Duration.days(1) },
        // Of rules with different times, S3 applies the shortest.
        ...Array.from({ length: retentionParts }, (_, index) => index + 1).map((parts) => ({
          id: `${retentionTag}-${parts}`,
          tagFilters: { [retentionTag]: String(parts) },
          expiration: Duration.days(keptDays(parts, config.eventRetentionDays)),
        })),
      ],
    })
    const description = 'Parquet files of events, for Athena and other programs'
    new CfnOutput(this, 'Output', { value: this.bucket.bucketName, description }).overrideLogicalId(
      'EventsBucket',
    )
  }

  /** Lets the unit store raw events. */
  grantRecording(unit: Unit): void {
    this.bucket.grantStore(unit, ...under('raw'))
  }

  /** Lets the unit read rollups and Parquet files, and the raw events of hours that are not sealed. */
  grantRead(unit: Unit): void {
    this.bucket.grantGet(unit, ...under('raw', 'ids', 'parquet', 'rollups'))
    this.bucket.grantList(unit, ...under('raw', 'ids', 'parquet', 'rollups', 'seals'))
    unit.addEnvironment('EVENT_RETENTION_DAYS', String(this.retentionDays))
  }

  /** Lets the unit read the counts of events, and what their seals say. */
  grantCounts(unit: Unit): void {
    const counted = under('raw', 'ids', 'parquet', 'rollups', 'seals')
    this.bucket.grantGet(unit, ...counted)
    this.bucket.grantList(unit, ...counted)
  }

  /** Lets the unit read raw events, and write and read what a seal makes of them. */
  grantSealing(unit: Unit): void {
    this.bucket.grantGet(unit, ...under('raw', 'ids', 'parquet', 'rollups'))
    this.bucket.grantStore(unit, ...under('ids', 'parquet', 'rollups', 'seals'))
    this.bucket.grantList(unit, ...under('raw', 'ids', 'parquet', 'rollups', 'seals'))
  }

  /** Lets the unit start erasures and read their states. */
  grantErasures(unit: Unit): void {
    this.bucket.grantGet(unit, ...under('erasures'))
    this.bucket.grantStore(unit, ...under('erasures'))
    // For the answer that there is none.
    this.bucket.grantList(unit, ...under('erasures'))
  }

  /** Lets the unit rewrite events and what was made of them, and delete rollups of days and results of searches. */
  grantErasing(unit: Unit): void {
    const rewritten = under('raw', 'parquet', 'rollups', 'seals')
    this.bucket.grantGet(unit, ...rewritten, ...under('searches'))
    this.bucket.grantStore(unit, ...rewritten)
    this.bucket.grantTagging(unit, ...rewritten)
    this.bucket.grantList(unit, ...rewritten, ...under('searches'))
    this.bucket.grantRemoval(unit, ...under('rollups', 'searches'))
    this.grantErasures(unit)
    unit.addEnvironment('EVENT_RETENTION_DAYS', String(this.retentionDays))
  }

  /** Lets Athena, on behalf of the unit, read Parquet files and store results, which the unit may read. */
  grantSearch(unit: Unit): void {
    this.bucket.grantGet(unit, ...under('parquet', 'searches'))
    this.bucket.grantStore(unit, ...under('searches'))
    this.bucket.grantMultipart(unit, ...under('searches'))
    this.bucket.grantList(unit, ...under('parquet', 'searches'))
    this.bucket.grantLocation(unit)
  }
}

const under = (...prefixes: readonly Prefix[]): string[] => prefixes.map((prefix) => `${prefix}/*`)
