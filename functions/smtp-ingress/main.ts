/** The process: reads its environment, starts the ingress, and on SIGTERM lets it finish what is in flight. */
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { SnapshotReader } from '../../shared/connectors/repository.ts'
import { IngressEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { type Ingress, startIngress } from './ingress.ts'
import { causeOf, lineWriter, logTo } from './log.ts'

const write = lineWriter((lines) => process.stdout.write(lines))
const log = logTo(write)

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

async function start(): Promise<Ingress> {
  const environment = readEnvironment(IngressEnvironment, process.env)
  const documents = DynamoDBDocumentClient.from(new DynamoDBClient(awsClient(2500)))
  const sqs = new SQSClient(awsClient(4000))
  const probe = { QueueUrl: environment.EVALUATION_QUEUE_URL, AttributeNames: ['QueueArn' as const] }
  return startIngress({
    environment,
    snapshots: new SnapshotReader(documents, environment.CONNECTORS_TABLE),
    // The largest request is a part of a large message, of which several may share the line.
    s3: new S3Client(awsClient(6000)),
    queue: new JobQueue(sqs, environment.EVALUATION_QUEUE_URL),
    notices: new JobQueue(sqs, environment.EVALUATION_QUEUE_URL),
    probeQueue: () => sqs.send(new GetQueueAttributesCommand(probe)),
    write,
  })
}

/** State is held for each session, so a fault in one is no reason to end the others. */
function surviveFaults(): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (error: unknown) =>
      log('error', event, { cause: causeOf(error), stack: error instanceof Error ? error.stack : null }),
    )
}

function stopOnSignal(ingress: Ingress): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void ingress.drain().then(() => process.exit(0)))
}

try {
  stopOnSignal(await start())
  surviveFaults()
} catch (error) {
  process.stderr.write(
    `smtp-ingress cannot start: ${error instanceof Error ? error.message : String(error)}\n`,
  )
  process.exit(1)
}
