/**
 * The clients of what a message needs to be durable. Each message costs a share of two requests, to S3 and to SQS;
 * these are signed and sent here. All else is the SDK's, and so are region, endpoints and credentials of both.
 */
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { ObjectPutter } from '../../../shared/aws/put-object.ts'
import { BatchSender } from '../../../shared/aws/send-batch.ts'
import type { ObjectStore } from '../../../shared/content/segment.ts'
import type { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { JobQueue } from '../../../shared/queues/job-queue.ts'

/** Milliseconds until there is a connection to AWS. */
const connectMs = 2000

/** Milliseconds for one try. The largest request to S3 is a part of a large message; several may share the line. */
const s3Ms = 6000
const sqsMs = 4000

export interface Storage {
  /** Where segments go. */
  objects: ObjectStore
  queue: JobQueue<EvaluationJob>
  s3: S3Client
  sqs: SQSClient
}

export function storageClients(environment: {
  CONTENT_BUCKET: string
  EVALUATION_QUEUE_URL: string
}): Storage {
  const { CONTENT_BUCKET: bucket, EVALUATION_QUEUE_URL: url } = environment
  const s3 = new S3Client(awsClient(s3Ms))
  const sqs = new SQSClient(awsClient(sqsMs))
  return {
    objects: new ObjectPutter(s3, bucket, { connectMs, answerMs: s3Ms }),
    queue: new JobQueue(new BatchSender(sqs, url, { connectMs, answerMs: sqsMs })),
    s3,
    sqs,
  }
}

/**
 * Connections to AWS stay open, and there are enough for the commits that run at once. What does not answer is
 * given up, not only warned of: a client waits ten minutes for the reply to its data (RFC 5321 §4.5.3.2.6), but a
 * session that waits for storage is one that another client does not get.
 * @param patienceMs for one try of three, from the first octet of the request to the last of the answer
 */
export function awsClient(patienceMs: number) {
  const agents = { keepAlive: true, maxSockets: 128 }
  return {
    maxAttempts: 3,
    requestHandler: {
      httpAgent: new HttpAgent(agents),
      httpsAgent: new HttpsAgent(agents),
      connectionTimeout: connectMs,
      requestTimeout: patienceMs,
      throwOnRequestTimeout: true,
      // The request's own time ends when the answer begins.
      socketTimeout: patienceMs,
    },
  }
}
