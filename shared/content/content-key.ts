import { hash } from 'node:crypto'

/** What an object holds: several messages, one large message, one TLS report or summary, one DSN. */
export type ContentKind = 'segments' | 'messages' | 'reports' | 'dsn'

/**
 * Returns the key of an object, such as `segments/3f/01KF…`. S3 serves 3,500 PUT and 5,500 GET requests per second for
 * each partition of keys
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html). Ids begin with the time, so
 * without the two digits of a hash all current objects would be in one partition.
 */
export const contentKey = (kind: ContentKind, id: string): string =>
  `${kind}/${hash('sha256', id).slice(0, 2)}/${id}`
