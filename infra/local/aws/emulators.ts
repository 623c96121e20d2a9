/** Starts embedded emulators of the AWS services that the stack calls, on loopback. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type BuildAppOptions, buildApp } from 'fauxqs'
import { queueMetric } from '../cloudwatch/queue-metrics.ts'
import { accountId, region } from '../template.ts'
import { AthenaEmulator } from './athena.ts'
import type { AthenaDefinitions } from './athena-tables.ts'
import { CloudWatchEmulator } from './cloudwatch.ts'
import { type EventEntry, eventsServer } from './events.ts'
import { type Publishers, refusal } from './publishers.ts'
import { CreatedSecrets, secretsServer } from './secrets.ts'
import { startSes } from './ses.ts'
import { startTables } from './tables.ts'

type Stores = NonNullable<BuildAppOptions['stores']>

export interface Emulators {
  /** Base URLs by service. */
  readonly endpoints: {
    readonly sqs: string
    readonly sns: string
    readonly s3: string
    readonly dynamodb: string
    readonly ses: string
    readonly secrets: string
    readonly events: string
    readonly athena: string
    readonly cloudWatch: string
  }
  readonly queues: Stores['sqsStore']
  readonly objects: Stores['s3Store']
  readonly cloudWatch: CloudWatchEmulator
  /** Secrets that the runner creates. */
  readonly secrets: CreatedSecrets
  /** Refuses from now on what the publishers may not publish. */
  limitPublishers(publishers: Publishers): void
  /** Sets the tables and workgroups of Athena. */
  setAthenaDefinitions(definitions: AthenaDefinitions): void
  close(): Promise<void>
}

/**
 * @param stateDirectory stores tables and secrets; null keeps them in memory
 * @param secretsDirectory contains read-only secrets; null when there are none
 * @param onEvent receives each event that is put on the event bus
 */
export async function startEmulators(
  stateDirectory: string | null,
  secretsDirectory: string | null = null,
  onEvent: (entry: EventEntry) => void = () => {},
): Promise<Emulators> {
  const stores = await createStores()
  const queuesTopicsAndObjects = buildApp({ logger: false, defaultRegion: region, stores })
  let publishers: Publishers | null = null
  queuesTopicsAndObjects.addHook('preHandler', async ({ body, headers }, reply) => {
    const { Action, TopicArn } = (body ?? {}) as Record<string, string | undefined>
    if (Action !== 'Publish' || publishers === null) return
    const error = refusal(headers.authorization, TopicArn ?? '', publishers)
    if (error !== null) await reply.code(403).type('text/xml').send(error)
  })
  const endpoint = await queuesTopicsAndObjects.listen({ port: 0, host: '127.0.0.1' })
  // The emulator reads these variables for the ARNs of its tables.
  process.env.AWS_ACCOUNT_ID = accountId
  process.env.AWS_REGION = region
  const tables = await startTables(stateDirectory === null ? null : join(stateDirectory, 'tables'))
  const mail = await startSes()
  const createdSecrets = new CreatedSecrets(stateDirectory === null ? null : join(stateDirectory, 'secrets'))
  const secrets = secretsServer(secretsDirectory, createdSecrets).listen(0, '127.0.0.1')
  const events = eventsServer(onEvent).listen(0, '127.0.0.1')
  const athena = new AthenaEmulator(stores.s3Store)
  athena.server.listen(0, '127.0.0.1')
  const cloudWatch = new CloudWatchEmulator()
  cloudWatch.server.listen(0, '127.0.0.1')
  const inspectQueue = (name: string) => stores.sqsStore.inspectQueue(name)
  cloudWatch.addSource((metric) => queueMetric(metric, inspectQueue, Date.now()))
  await Promise.all(
    [secrets, events, athena.server, cloudWatch.server].map((server) => once(server, 'listening')),
  )
  return {
    endpoints: {
      sqs: endpoint,
      sns: endpoint,
      s3: endpoint,
      dynamodb: endpointOf(tables),
      ses: endpointOf(mail),
      secrets: endpointOf(secrets),
      events: endpointOf(events),
      athena: endpointOf(athena.server),
      cloudWatch: endpointOf(cloudWatch.server),
    },
    queues: stores.sqsStore,
    objects: stores.s3Store,
    cloudWatch,
    secrets: createdSecrets,
    limitPublishers(limited) {
      publishers = limited
    },
    setAthenaDefinitions: (definitions) => athena.setDefinitions(definitions),
    close: async () => {
      await Promise.all([
        queuesTopicsAndObjects.close(),
        closeServer(tables),
        closeServer(mail),
        closeServer(secrets),
        closeServer(events),
        closeServer(athena.server).then(() => athena.close()),
        closeServer(cloudWatch.server).then(() => cloudWatch.close()),
      ])
    },
  }
}

/**
 * Creates the stores of fauxqs, which the package does not export. The package's own start function is not used: it
 * listens on every interface, and its queue URLs have a host name that not every machine resolves.
 */
async function createStores(): Promise<Stores> {
  const load = (path: string) => import(new URL(path, import.meta.resolve('fauxqs')).href)
  const [{ SqsStore }, { SnsStore }, { S3Store }] = await Promise.all([
    load('./sqs/sqsStore.js'),
    load('./sns/snsStore.js'),
    load('./s3/s3Store.js'),
  ])
  const stores: Stores = { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store: new S3Store() }
  stores.sqsStore.host = ''
  return stores
}

function endpointOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await closed
}
