/** Limits of AWS services that mail can reach, with the page that states each, read in November 2026 or as noted. */

export interface Limit {
  readonly value: number
  readonly source: string
  /** When the page was read; null when the value is from memory of it. */
  readonly readAt: string | null
}

const docs = (path: string) => `https://docs.aws.amazon.com/${path}`
const readAt = '2026-11-30'

export const limits = {
  /** Write units per second of a new table or index on demand, unless WarmThroughput is set. */
  tableWrites: {
    value: 4000,
    source: docs('amazondynamodb/latest/developerguide/warm-throughput-scenarios.html'),
    readAt,
  },
  tableReads: {
    value: 12_000,
    source: docs('amazondynamodb/latest/developerguide/warm-throughput-scenarios.html'),
    readAt,
  },
  /** Units per second of a table, until AWS raises the quota. */
  tableQuota: {
    value: 40_000,
    source: docs('amazondynamodb/latest/developerguide/ServiceQuotas.html'),
    readAt: null,
  },
  partitionWrites: {
    value: 1000,
    source: docs('amazondynamodb/latest/developerguide/warm-throughput-scenarios.html'),
    readAt,
  },
  partitionReads: {
    value: 3000,
    source: docs('amazondynamodb/latest/developerguide/warm-throughput-scenarios.html'),
    readAt,
  },
  prefixPuts: {
    value: 3500,
    source: docs('AmazonS3/latest/userguide/optimizing-performance.html'),
    readAt: null,
  },
  prefixGets: {
    value: 5500,
    source: docs('AmazonS3/latest/userguide/optimizing-performance.html'),
    readAt: null,
  },
  messagesInFlight: {
    value: 120_000,
    source: docs('AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html'),
    readAt: null,
  },
  /** Concurrent invocations of an account; new accounts may have 10. */
  accountConcurrency: {
    value: 1000,
    source: docs('lambda/latest/dg/gettingstarted-limits.html'),
    readAt: null,
  },
  /** Batches that one event source processes at the same time. */
  eventSourceBatches: {
    value: 1000,
    source: docs('lambda/latest/dg/services-sqs-scaling.html'),
    readAt,
  },
  /** Invocations per second for each concurrent invocation of the quota. */
  invocationsPerConcurrency: {
    value: 10,
    source: docs('lambda/latest/dg/gettingstarted-limits.html'),
    readAt: null,
  },
  fargateVcpus: {
    value: 6,
    source: docs('AmazonECS/latest/developerguide/service-quotas.html'),
    readAt: null,
  },
  /** Messages per second that AWS usually grants first outside of the sandbox. */
  sesMessages: { value: 14, source: docs('ses/latest/dg/quotas.html'), readAt: null },
  eventBridgeEvents: {
    value: 10_000,
    source: docs('eventbridge/latest/userguide/eb-quota.html'),
    readAt: null,
  },
  /** Requests per second of an account in us-east-1; each execution environment and task makes about one. */
  putLogEvents: {
    value: 5000,
    source: docs('AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html'),
    readAt: null,
  },
  /** Connections of a NAT gateway to one destination. */
  natConnections: {
    value: 55_000,
    source: docs('vpc/latest/userguide/nat-gateway-basics.html'),
    readAt: null,
  },
} satisfies Record<string, Limit>

export type LimitName = keyof typeof limits
