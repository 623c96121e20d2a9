/** The process: reads its environment, starts the ingress, and on SIGTERM lets it finish what is in flight. */
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { SnapshotReader } from '../../shared/connectors/repository.ts'
import { IngressEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { type Ingress, startIngress } from './ingress.ts'
import { causeOf, lineWriter, logTo } from './log.ts'

const write = lineWriter((lines) => process.stdout.write(lines))
const log = logTo(write)

/**
 * Connections to AWS stay open, and there are enough for the commits that run at once. A client waits ten
 * minutes for the reply to its data (RFC 5321 §4.5.3.2.6), so slow storage is given time and three tries.
 */
function awsClient() {
  const agents = { keepAlive: true, maxSockets: 128 }
  return {
    maxAttempts: 3,
    requestHandler: {
      httpAgent: new HttpAgent(agents),
      httpsAgent: new HttpsAgent(agents),
      connectionTimeout: 3000,
      requestTimeout: 20_000,
    },
  }
}

async function start(): Promise<Ingress> {
  const environment = readEnvironment(IngressEnvironment, process.env)
  const documents = DynamoDBDocumentClient.from(new DynamoDBClient(awsClient()))
  return startIngress({
    environment,
    snapshots: new SnapshotReader(documents, environment.CONNECTORS_TABLE),
    s3: new S3Client(awsClient()),
    queue: new JobQueue(new SQSClient(awsClient()), environment.EVALUATION_QUEUE_URL),
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
