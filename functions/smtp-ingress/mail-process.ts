/** A process that takes mail, with its clients of AWS. */
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { SnapshotReader } from '../../shared/connectors/repository.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { type Ingress, type IngressParts, startIngress } from './ingress.ts'

/**
 * Connections to AWS stay open, and there are enough for the commits that run at once. What does not answer is
 * given up, not only warned of: a client waits ten minutes for the reply to its data (RFC 5321 §4.5.3.2.6), but a
 * session that waits for storage is one that another client does not get.
 * @param patienceMs for one try of three, from the first octet of the request to the last of the answer
 */
function awsClient(patienceMs: number) {
  const agents = { keepAlive: true, maxSockets: 128 }
  return {
    maxAttempts: 3,
    requestHandler: {
      httpAgent: new HttpAgent(agents),
      httpsAgent: new HttpsAgent(agents),
      connectionTimeout: 2000,
      requestTimeout: patienceMs,
      throwOnRequestTimeout: true,
      // The request's own time ends when the answer begins.
      socketTimeout: patienceMs,
    },
  }
}

/** @param parts what differs between a process on its own and one of several */
export function takeMail(
  parts: Pick<IngressParts, 'environment' | 'write' | 'admission' | 'oversight'>,
): Promise<Ingress> {
  const { environment } = parts
  const documents = DynamoDBDocumentClient.from(new DynamoDBClient(awsClient(2500)))
  const sqs = new SQSClient(awsClient(4000))
  const probe = { QueueUrl: environment.EVALUATION_QUEUE_URL, AttributeNames: ['QueueArn' as const] }
  return startIngress({
    ...parts,
    snapshots: new SnapshotReader(documents, environment.CONNECTORS_TABLE),
    // The largest request is a part of a large message, of which several may share the line.
    s3: new S3Client(awsClient(6000)),
    queue: new JobQueue(sqs, environment.EVALUATION_QUEUE_URL),
    notices: new JobQueue(sqs, environment.EVALUATION_QUEUE_URL),
    probeQueue: () => sqs.send(new GetQueueAttributesCommand(probe)),
  })
}
