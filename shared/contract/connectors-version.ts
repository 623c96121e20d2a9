/**
 * Partition keys of the copies of the connectors' version. DynamoDB serves at most 3,000 strongly consistent reads/s of
 * one partition (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html). With
 * eight copies, 6,700 batches/s cause 840 reads/s of each.
 */
export const versionPartitions: readonly string[] = [
  'version',
  ...Array.from({ length: 7 }, (_, index) => `version#${index + 1}`),
]
