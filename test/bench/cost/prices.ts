/**
 * List prices of AWS in us-east-1 in USD, without free tiers and discounts for large volumes. AWS's own price pages could
 * not be read when this list was made, so each price was compared with a page that quotes them.
 */

export const pricesAsOf = '2026-11-30'

export interface Price {
  readonly usd: number
  /** The page of AWS with the price. */
  readonly source: string
  /** The page that quotes the price, and its date; null when none was found. */
  readonly verifiedAt: string | null
}

const price = (usd: number, source: string, verifiedAt: string | null = null): Price => ({
  usd,
  source: `https://aws.amazon.com/${source}`,
  verifiedAt,
})

const cloudburn = (page: string) => `https://cloudburn.io/blog/${page} (2026-03)`
const signoz = 'https://signoz.io/guides/cloudwatch-pricing (2026-02-15)'
const hykell = 'https://hykell.com/knowledge-base/aws-cloudwatch-logs-pricing (2025)'

export const prices = {
  /** A request of a standard queue, for each 64 KiB that begins. */
  sqsRequest: price(0.4e-6, 'sqs/pricing/', cloudburn('amazon-sqs-pricing')),
  /** A write unit on demand, after the reduction of November 2024. */
  dynamoDbWrite: price(
    0.625e-6,
    'dynamodb/pricing/on-demand/',
    'https://airbyte.com/data-engineering-resources/dynamodb-pricing (2025)',
  ),
  dynamoDbRead: price(
    0.125e-6,
    'dynamodb/pricing/on-demand/',
    'https://airbyte.com/data-engineering-resources/dynamodb-pricing (2025)',
  ),
  dynamoDbGbMonth: price(0.25, 'dynamodb/pricing/on-demand/'),
  /** Continuous backups. */
  pointInTimeRecoveryGbMonth: price(0.2, 'dynamodb/pricing/on-demand/'),
  s3Put: price(5e-6, 's3/pricing/', 'https://devnotes.tech/understanding-aws-s3-pricing (2025)'),
  s3Get: price(0.4e-6, 's3/pricing/', 'https://devnotes.tech/understanding-aws-s3-pricing (2025)'),
  s3GbMonth: price(0.023, 's3/pricing/', cloudburn('amazon-s3-pricing')),
  lambdaRequest: price(0.2e-6, 'lambda/pricing/', 'https://cloudchipr.com/blog/aws-lambda-pricing (2025)'),
  /** arm64. The initialisation of an environment is billed since August 2025. */
  lambdaGbSecond: price(
    0.0000133334,
    'lambda/pricing/',
    'https://cloudchipr.com/blog/aws-lambda-pricing (2025)',
  ),
  logsGb: price(0.5, 'cloudwatch/pricing/', hykell),
  /** Of compressed octets. */
  logsStorageGbMonth: price(0.03, 'cloudwatch/pricing/', hykell),
  metricMonth: price(0.3, 'cloudwatch/pricing/', signoz),
  /** For each metric of an alarm, also in an expression. */
  alarmMetricMonth: price(
    0.1,
    'cloudwatch/pricing/',
    'https://c3x.dev/resources/aws/aws_cloudwatch_metric_alarm',
  ),
  dashboardMonth: price(
    3,
    'cloudwatch/pricing/',
    'https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/ (2026-06-13)',
  ),
  insightRuleMonth: price(0.5, 'cloudwatch/pricing/'),
  insightRuleEvent: price(0.027e-6, 'cloudwatch/pricing/'),
  balancerHour: price(
    0.0225,
    'elasticloadbalancing/pricing/',
    'https://clustercost.com/blog/network-load-balancer-pricing-2025 (2025)',
  ),
  /** A unit is 800 new TCP connections per second, 100,000 open ones, or 1 GB per hour. */
  balancerUnitHour: price(0.006, 'elasticloadbalancing/pricing/'),
  /** Linux on ARM. */
  fargateVcpuHour: price(0.03238, 'fargate/pricing/', 'https://www.vantage.sh/blog/fargate-pricing'),
  fargateGbHour: price(0.00356, 'fargate/pricing/', 'https://www.vantage.sh/blog/fargate-pricing'),
  publicAddressHour: price(0.005, 'vpc/pricing/'),
  natGatewayHour: price(0.045, 'vpc/pricing/'),
  natGatewayGb: price(0.045, 'vpc/pricing/'),
  interfaceEndpointHour: price(0.01, 'privatelink/pricing/'),
  interfaceEndpointGb: price(0.01, 'privatelink/pricing/'),
  /** To the internet, for the first 10 TB of a month. Traffic from the internet is free. */
  transferOutGb: price(
    0.09,
    'ec2/pricing/on-demand/',
    'https://devnotes.tech/understanding-aws-s3-pricing (2025)',
  ),
  kmsKeyMonth: price(1, 'kms/pricing/'),
  kmsRequest: price(3e-6, 'kms/pricing/'),
  secretMonth: price(0.4, 'secrets-manager/pricing/'),
  secretRequest: price(5e-6, 'secrets-manager/pricing/'),
  hostedZoneMonth: price(0.5, 'route53/pricing/'),
  eventBridgeEvent: price(1e-6, 'eventbridge/pricing/'),
  snsRequest: price(0.5e-6, 'sns/pricing/'),
  sesMessage: price(
    0.1e-3,
    'ses/pricing/',
    'https://github.com/api-evangelist/amazon-ses, plans/amazon-ses-plans-pricing.yml (2026-08-13)',
  ),
  /** The default plan of accounts that are new or idle since June 2025, from 21 July 2026. */
  sesEssentialsMessage: price(
    0.16e-3,
    'ses/pricing/',
    'https://github.com/api-evangelist/amazon-ses, plans/amazon-ses-plans-pricing.yml (2026-08-13)',
  ),
  /** Content that is sent, in addition to each message, without a plan. */
  sesContentGb: price(0.12, 'ses/pricing/'),
} satisfies Record<string, Price>

export type PriceName = keyof typeof prices

export const hoursPerMonth = 730
export const secondsPerMonth = hoursPerMonth * 3600
/** AWS's gigabyte of storage, memory and transfer. */
export const gigabyte = 1024 ** 3

/** The names of prices for which no quotation was found. */
export const unverifiedPrices = (): string[] =>
  Object.entries<Price>(prices)
    .filter(([, { verifiedAt }]) => verifiedAt === null)
    .map(([name]) => name)
