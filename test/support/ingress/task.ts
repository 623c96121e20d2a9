/** The ingress's process as it is deployed, with emulators of SQS, S3 and DynamoDB. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { after } from 'node:test'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { PutCommand } from '@aws-sdk/lib-dynamodb'
import { startEmulators } from '../../../infra/local/aws/emulators.ts'
import { startDynamoDb } from '../dynamodb.ts'
import { selfSigned } from '../pki.ts'
import { freePort } from '../process.ts'
import { within } from '../within.ts'

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const emulators = await startEmulators(null)
export const dynamodb = await startDynamoDb()
export const endpoint = emulators.endpoints.sqs
/** The store in which a test creates secrets for the processes. */
export const { secrets } = emulators
export const client = { endpoint, region: 'eu-central-1', credentials }
export const s3 = new S3Client({ ...client, forcePathStyle: true })
export const sqs = new SQSClient(client)
const processes: ChildProcess[] = []

await s3.send(new CreateBucketCommand({ Bucket: 'content' }))
const created = await sqs.send(new CreateQueueCommand({ QueueName: 'evaluation' }))
export const queueUrl = created.QueueUrl ?? ''
const { QueueUrl: eventsQueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'events' }))
await dynamodb.documents.send(
  new PutCommand({
    TableName: dynamodb.connectorsTable,
    Item: { pk: 'accepted-domain', sk: 'ours.example', domain: 'ours.example', comment: '', version: 1 },
  }),
)

after(async () => {
  for (const child of processes) child.kill('SIGKILL')
  await Promise.all([emulators.close(), dynamodb.stop()])
})

/** The only environment variables that the processes inherit. Compiled code is cached for all processes. */
const inheritedVariables = {
  PATH: process.env.PATH ?? '',
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? '',
}

export function startProcess(
  environment: Record<string, string>,
  program = 'functions/smtp-ingress/main.ts',
): ChildProcess {
  const child = spawn(process.execPath, [program], {
    env: { ...inheritedVariables, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  processes.push(child)
  return child
}

export async function createEnvironment(): Promise<Record<string, string>> {
  const { cert, key } = await selfSigned({ names: ['mx.ours.example'] })
  return {
    MAIL_HOSTNAME: 'mx.ours.example',
    CONNECTORS_TABLE: dynamodb.connectorsTable,
    TRANSPORT_TABLE: dynamodb.transportTable,
    CONTENT_BUCKET: 'content',
    EVALUATION_QUEUE_URL: queueUrl,
    EVENTS_QUEUE_URL: eventsQueueUrl,
    TLS_CERTIFICATE: cert,
    TLS_PRIVATE_KEY: key,
    LISTEN_ADDRESS: '127.0.0.1',
    SMTP_PORT: String(await freePort()),
    HEALTH_PORT: String(await freePort()),
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_ENDPOINT_URL_SQS: endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: emulators.endpoints.secrets,
  }
}

/** The log of a process, one object per line. A line that is not JSON fails the test. */
export class TaskLog {
  readonly lines: Record<string, unknown>[] = []
  #fault: Error | null = null
  readonly #waiting = new Set<() => void>()

  constructor({ stdout }: ChildProcess) {
    const input = createInterface({ input: stdout as NodeJS.ReadableStream })
    input.on('line', (line) => this.#take(line))
  }

  /** Returns the first line with this message after the first `from` lines. */
  async next(message: string, from = 0): Promise<Record<string, unknown>> {
    for (;;) {
      if (this.#fault) throw this.#fault
      const entry = this.lines.slice(from).find((line) => line.message === message)
      if (entry) return entry
      const more = new Promise<void>((resolve) => this.#waiting.add(resolve))
      await within(30_000, more, `the line "${message}"`)
    }
  }

  #take(line: string): void {
    try {
      this.lines.push(JSON.parse(line))
    } catch {
      this.#fault = new Error(`a line of the log is not JSON: ${line}`)
    }
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }
}
