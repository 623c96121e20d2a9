/** What AWS passes to a function that it calls. */
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'

/** Credentials for AWS's clients in place of an account. */
export const testAccount = {
  region: 'eu-central-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
}

/**
 * Sets the environment of every function, without log and metrics, and the additional variables of a test's function.
 */
export function setEnvironment(variables: Record<string, string>): void {
  Object.assign(process.env, {
    AWS_REGION: testAccount.region,
    AWS_ACCESS_KEY_ID: testAccount.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: testAccount.credentials.secretAccessKey,
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    POWERTOOLS_METRICS_DISABLED: 'true',
    ...variables,
  })
}

export type SqsHandler = (event: SQSEvent) => Promise<SQSBatchResponse>

/**
 * A batch of a queue, with the records m0, m1 and so on, which were received once.
 * @param bodies text is sent unchanged, other values as JSON
 */
export const eventOfQueue = (queue: string, ...bodies: (object | string)[]): SQSEvent => ({
  Records: bodies.map((body, index) =>
    sqsRecord({
      messageId: `m${index}`,
      body: typeof body === 'string' ? body : JSON.stringify(body),
      eventSourceARN: `arn:aws:sqs:${testAccount.region}:000000000000:${queue}`,
    }),
  ),
})

/** A batch of the queue `evaluation`. */
export const sqsEvent = (...bodies: (object | string)[]): SQSEvent => eventOfQueue('evaluation', ...bodies)

/** @param receives number of times that the record was received */
export function sqsRecord({
  receives = 1,
  ...fields
}: Partial<SQSRecord> & { receives?: number } = {}): SQSRecord {
  const messageId = fields.messageId ?? 'm0'
  return {
    messageId,
    receiptHandle: `receipt of ${messageId}`,
    body: '{}',
    attributes: { ApproximateReceiveCount: String(receives) } as SQSRecord['attributes'],
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:${testAccount.region}:000000000000:evaluation`,
    awsRegion: testAccount.region,
    ...fields,
  }
}

/** @returns which records of the batch the function returns to the queue */
export const failedIds = async (handler: SqsHandler, event: SQSEvent): Promise<string[]> =>
  (await handler(event)).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
