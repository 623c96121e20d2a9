/**
 * AWS clients for storing messages. Each message needs a share of two requests, to S3 and SQS. To save processor time,
 * `shared/aws/` signs and sends these two (docs/decisions/0018-requests-of-the-hot-path.md). All other requests use the
 * SDK, which also provides region, endpoints and credentials.
 */
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { BatchSender } from '../../../shared/aws/batch-sender.ts'
import { ObjectPutter } from '../../../shared/aws/object-putter.ts'
import type { ObjectStore } from '../../../shared/content/segment-writer.ts'
import type { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { JobQueue } from '../../../shared/queues/job-queue.ts'

/** Milliseconds to connect to AWS. */
const connectTimeoutMs = 2000

/**
 * Milliseconds for one attempt. The largest S3 request is a part of a large message; several may share the bandwidth.
 */
const s3TimeoutMs = 6000
const sqsTimeoutMs = 4000

export interface StorageClients {
  /** Stores segments. */
  objects: ObjectStore
  queue: JobQueue<EvaluationJob>
  s3: S3Client
  sqs: SQSClient
}

export function createStorageClients(environment: {
  CONTENT_BUCKET: string
  EVALUATION_QUEUE_URL: string
}): StorageClients {
  const { CONTENT_BUCKET: bucket, EVALUATION_QUEUE_URL: url } = environment
  const s3 = new S3Client(awsClientOptions(s3TimeoutMs))
  const sqs = new SQSClient(awsClientOptions(sqsTimeoutMs))
  return {
    objects: new ObjectPutter(s3, bucket, { connectMs: connectTimeoutMs, totalMs: s3TimeoutMs }),
    queue: new JobQueue(new BatchSender(sqs, url, { connectMs: connectTimeoutMs, totalMs: sqsTimeoutMs })),
    s3,
    sqs,
  }
}

/**
 * Connections to AWS stay open, enough for all concurrent commits. A request without a response is aborted; by default
 * the SDK only logs a warning. An SMTP client would wait ten minutes after its data (RFC 5321 §4.5.3.2.6), but a
 * session that waits for storage blocks another client.
 * @param timeoutMs for one of three attempts, from the first octet of the request to the last of the response
 */
export function awsClientOptions(timeoutMs: number) {
  const agents = { keepAlive: true, maxSockets: 128 }
  return {
    maxAttempts: 3,
    requestHandler: {
      httpAgent: new HttpAgent(agents),
      httpsAgent: new HttpsAgent(agents),
      connectionTimeout: connectTimeoutMs,
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      // The SDK's request timeout ends when the response begins.
      socketTimeout: timeoutMs,
    },
  }
}
