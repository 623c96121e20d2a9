/** Puts the synthesised stack together on this machine, in the order in which its parts need one another. */
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, type WriteStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SNSClient } from '@aws-sdk/client-sns'
import { SQSClient } from '@aws-sdk/client-sqs'
import { readRoutes, startApiServer } from './api-server.ts'
import { type Emulators, startEmulators } from './aws/emulators.ts'
import type { EventEntry } from './aws/events.ts'
import { type Clients, createResources, type Resources } from './aws/resources.ts'
import { LocalAuthority } from './certificates.ts'
import { startDnsServer } from './dns/server.ts'
import type { Zone } from './dns/zone.ts'
import { choosePort, Ingress, readIngressEnvironment } from './ingress.ts'
import { FunctionSet } from './lambda/function-set.ts'
import { readEventSources, readFunctions, registerFunctions } from './lambda/functions.ts'
import { startInvokeServer } from './lambda/invoke-server.ts'
import { startPoller } from './lambda/poller.ts'
import { readSchedules, startSchedule } from './lambda/schedule.ts'
import { readNotices } from './notices.ts'
import type { Options } from './options.ts'
import { StartError } from './start-error.ts'
import { lockState, restoreSnapshot, saveSnapshot } from './state.ts'
import { Resolver, region, resourcesOfType, type Template } from './template.ts'

/** What the ready line says: where everything listens, and what it is called. */
export interface Endpoints {
  readonly smtp: string
  readonly health: string
  readonly api: string
  /** What anybody may read: our certificates, as partners see them. */
  readonly pages: string
  readonly dns: string
  readonly sqs: string
  readonly sns: string
  readonly s3: string
  readonly dynamodb: string
  readonly ses: string
  /** Where functions can be invoked by name, as Lambda has it. */
  readonly lambda: string
  readonly functions: readonly string[]
  readonly secrets: string
  /** URLs by stage, dead-letter queues as `<stage>DeadLetters`. */
  readonly queues: Readonly<Record<string, string>>
  readonly tables: Readonly<Record<string, string>>
  readonly bucket: string
  /** Files: the authority that signed the ingress's certificate, and what each unit writes. */
  readonly authority: string
  readonly logs: string
  readonly pids: { readonly runner: number; readonly ingress: number | undefined }
}

export interface Runner<W extends World> {
  readonly endpoints: Endpoints
  readonly authority: LocalAuthority
  readonly world: W
  /** Kills every Lambda worker that is running an invocation; returns how many. */
  crashWorkers(): number
  /** Stops taking mail, lets what is under way end, keeps the state if there is a place for it. */
  stop(): Promise<void>
}

/** The world outside: its names, and what is to be closed when the runner stops. */
export interface World {
  readonly zone: Zone
  close(): Promise<void>
}

/** Servers of this world may need certificates of this machine's own, so its authority comes first. */
export type OpenWorld<W extends World> = (authority: LocalAuthority) => Promise<W>

/** Milliseconds that invocations under way are given when the runner stops. */
const drainPatience = 10_000

/**
 * @param notify told of faults while running, a line each
 * @param interrupted ends a start that is under way
 * @throws StartError with one line when something cannot start, the signal's reason when it was interrupted; what
 * had started is stopped again
 */
export async function startRunner<W extends World>(
  options: Options,
  openWorld: OpenWorld<W>,
  notify: (line: string) => void,
  interrupted: AbortSignal,
): Promise<Runner<W>> {
  const closers: (() => Promise<unknown> | unknown)[] = []
  const atStop = (close: () => Promise<unknown> | unknown) => {
    closers.push(close)
    interrupted.throwIfAborted()
  }
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close()
  }
  try {
    return await start(options, openWorld, notify, atStop, stop)
  } catch (error) {
    await stop()
    throw interrupted.aborted ? interrupted.reason : error
  }
}

async function start<W extends World>(
  options: Options,
  openWorld: OpenWorld<W>,
  notify: (line: string) => void,
  atStop: (close: () => Promise<unknown> | unknown) => void,
  stop: () => Promise<void>,
): Promise<Runner<W>> {
  const folders = openFolders(options.stateDirectory, atStop)
  if (options.stateDirectory !== null) atStop(lockState(folders.kept))
  const logs = new Logs(folders.logs)
  const smtpPort = await choosePort(options.smtpPort, '--smtp-port')
  await choosePort(options.apiPort, '--api-port')
  await choosePort(options.pagesPort, '--pages-port')
  const authority = await LocalAuthority.open(join(folders.kept, 'certificates'))

  const world = await openWorld(authority)
  atStop(() => world.close())
  const dns = await startDnsServer(world.zone, options.dnsPort)
  atStop(() => dns.close())
  const emulators = await startEmulators(
    options.stateDirectory === null ? null : folders.kept,
    options.secretsDirectory,
    logEvents(logs.open('events'), notify),
  )
  atStop(() => emulators.close())
  const clients = connect(emulators)

  // Loaded late: the CDK takes seconds, and a port in use should be heard of before.
  const { synthesise } = await import('./synthesise.ts')
  const { template, assets } = synthesise(
    { ...settingsFor(dns.port), ...options.settings },
    folders.temporary,
  )
  const resolver = new Resolver(template)
  const resources = await createResources(template, resolver, clients)
  if (options.stateDirectory !== null)
    await keepSnapshots(folders.kept, emulators, clients, resources, atStop)

  const told = await readNotices(clients, resources.topics, logs.open('notices'), notify)
  atStop(() => told.stop())

  const environment = readIngressEnvironment(template, resolver)
  await fillSecret(environment, emulators, authority)

  const runtime = runtimeEnvironment(emulators)
  registerFunctions(template, resolver)
  const definitions = readFunctions(template, resolver, assets, runtime, world.zone.ports)
  const functions = new FunctionSet(definitions, (name) => logs.open(name))
  atStop(() => functions.stop())
  await functions.warm()
  const invoke = (arn: string, event: unknown) => functions.invoke(arn, event)

  const sources = readEventSources(template, resolver, definitions, resources.queues)
  const pollers = sources.map(({ target, source }) =>
    startPoller(clients.sqs, source, (event) => invoke(target.arn, event), notify),
  )
  const drained = () => Promise.all(pollers.map((poller) => poller.stop()))
  atStop(() => Promise.race([drained(), delay(drainPatience, undefined, { ref: false })]))

  const deployed = Promise.all(
    resourcesOfType(template, 'AWS::CloudFormation::CustomResource').map(([id, { ServiceToken }]) =>
      invoke(resolver.string(ServiceToken), { RequestType: 'Create', LogicalResourceId: id }),
    ),
  )
  // Waited for below; the ports come first.
  deployed.catch(() => undefined)
  for (const schedule of readSchedules(template, resolver)) atStop(startSchedule(schedule, invoke, notify))
  const invocations = await startInvokeServer((name, event) => {
    const found = definitions.find((one) => one.name === name)
    return found === undefined ? null : invoke(found.arn, event)
  })
  atStop(() => invocations.close())

  const routes = Map.groupBy(readRoutes(template, resolver), ({ authorization }) =>
    authorization === 'NONE' ? 'pages' : 'api',
  )
  const serve = async (which: 'api' | 'pages', port: number) => {
    const at = { port, option: `--${which}-port`, isPublic: which === 'pages' }
    const server = await startApiServer(routes.get(which) ?? [], invoke, at, notify)
    atStop(() => server.close())
    return server
  }
  const api = await serve('api', options.apiPort)
  const pages = await serve('pages', options.pagesPort)

  const healthPort = await choosePort(0, 'health')
  const ingress = await Ingress.start({
    environment: { ...runtime, ...environment },
    smtpPort,
    healthPort,
    log: logs.open('ingress'),
    onRestart: notify,
  })
  atStop(() => ingress.stop())
  await deployed

  const variables = Object.assign({}, environment, ...definitions.map((one) => one.environment))
  return {
    authority,
    world,
    crashWorkers: () => functions.crash(),
    stop,
    endpoints: {
      smtp: `127.0.0.1:${smtpPort}`,
      health: `http://127.0.0.1:${healthPort}/health`,
      api: `http://127.0.0.1:${api.port}`,
      pages: `http://127.0.0.1:${pages.port}/`,
      dns: `127.0.0.1:${dns.port}`,
      lambda: invocations.url,
      functions: definitions.map(({ name }) => name),
      ...emulators.endpoints,
      ...namesIn(variables, template, resolver, resources),
      authority: join(folders.kept, 'certificates', 'authority.pem'),
      logs: folders.logs,
      pids: { runner: process.pid, ingress: ingress.pid },
    },
  }
}

/** What an administrator does before the first deployment: the certificate of our name is in its secret. */
async function fillSecret(
  { TLS_SECRET_ARN: arn = '', MAIL_HOSTNAME: name = '' }: Record<string, string>,
  { secrets }: Emulators,
  authority: LocalAuthority,
): Promise<void> {
  secrets.create(arn, JSON.stringify(await authority.issue(name)))
}

/** The deployment this machine is: partners are on loopback, and their names are the zone's. */
function settingsFor(dnsPort: number): Record<string, unknown> {
  return {
    defaultRoute: 'Mx',
    mtaSts: { mode: 'testing' },
    privateMxNetworks: ['127.0.0.0/8'],
    dnsServers: [`127.0.0.1:${dnsPort}`],
    // Whoever tries a rotation here waits for it.
    certificate: { readEverySeconds: 5 },
  }
}

/** A temporary folder, and one for what is kept: the same unless there is a state directory. */
function openFolders(stateDirectory: string | null, atStop: (close: () => void) => void) {
  const temporary = mkdtempSync(join(tmpdir(), 'mailflow-'))
  const remove = () => rmSync(temporary, { recursive: true, force: true })
  // There are private keys in it: it goes even where nothing is waited for.
  process.once('exit', remove)
  atStop(remove)
  const kept = stateDirectory === null ? temporary : resolve(stateDirectory)
  const logs = join(kept, 'logs')
  try {
    mkdirSync(logs, { recursive: true })
  } catch (error) {
    throw new StartError(`--state ${stateDirectory}: ${(error as Error).message}`)
  }
  return { temporary, kept, logs }
}

/** One file for each unit, `<name>.log`. */
class Logs {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  open(name: string): WriteStream {
    const stream = createWriteStream(join(this.#directory, `${name}.log`), { flags: 'a' })
    // Every execution environment of a function writes here.
    return stream.setMaxListeners(0)
  }
}

const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }

function connect({ endpoints }: Emulators): Clients {
  return {
    sqs: new SQSClient({ region, credentials, endpoint: endpoints.sqs }),
    sns: new SNSClient({ region, credentials, endpoint: endpoints.sns }),
    s3: new S3Client({ region, credentials, endpoint: endpoints.s3, forcePathStyle: true }),
    dynamodb: new DynamoDBClient({ region, credentials, endpoint: endpoints.dynamodb }),
  }
}

/** What is put on the event bus, for whoever sits at this machine. */
function logEvents(file: WriteStream, notify: (line: string) => void): (entry: EventEntry) => void {
  return ({ DetailType, Detail }) => {
    file.write(`${JSON.stringify({ detailType: DetailType, detail: JSON.parse(Detail) })}\n`, () =>
      notify(`event: ${DetailType} (logs/events.log)`),
    )
  }
}

/** What Lambda and ECS give every unit, and where the services are: the only thing that differs from AWS. */
function runtimeEnvironment({ endpoints }: Emulators): Record<string, string> {
  return {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_ENDPOINT_URL_SQS: endpoints.sqs,
    AWS_ENDPOINT_URL_SNS: endpoints.sns,
    AWS_ENDPOINT_URL_S3: endpoints.s3,
    AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb,
    AWS_ENDPOINT_URL_SES: endpoints.ses,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoints.secrets,
    AWS_ENDPOINT_URL_EVENTBRIDGE: endpoints.events,
    TZ: 'UTC',
    ...extraAuthorities(),
  }
}

/** Node's own variable: a file of authorities that count as public beside those that do. */
function extraAuthorities(): Record<string, string> {
  const { NODE_EXTRA_CA_CERTS } = process.env
  return NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS }
}

async function keepSnapshots(
  directory: string,
  emulators: Emulators,
  clients: Clients,
  resources: Resources,
  atStop: (close: () => Promise<unknown>) => void,
): Promise<void> {
  await restoreSnapshot(directory, emulators.queues, clients.s3)
  atStop(() => saveSnapshot(directory, emulators.queues, clients.s3, resources.buckets))
}

/** The resources by the names under which the units know them. */
function namesIn(
  variables: Readonly<Record<string, string>>,
  template: Template,
  resolver: Resolver,
  { queues }: Resources,
): Pick<Endpoints, 'queues' | 'tables' | 'bucket'> {
  const named = (suffix: string) =>
    Object.entries(variables)
      .filter(([name]) => name.endsWith(suffix))
      .map(([name, value]): [string, string] => [name.slice(0, -suffix.length).toLowerCase(), value])
  const stages = named('_QUEUE_URL')
  const deadLetters = stages.flatMap(([stage, url]) => {
    const target = deadLetterArn(queues.find((queue) => queue.url === url)?.logicalId, template, resolver)
    return queues.filter(({ arn }) => arn === target).map((queue) => [`${stage}DeadLetters`, queue.url])
  })
  return {
    queues: Object.fromEntries([...stages, ...deadLetters]),
    tables: Object.fromEntries(named('_TABLE')),
    bucket: variables.CONTENT_BUCKET ?? '',
  }
}

function deadLetterArn(
  logicalId: string | undefined,
  template: Template,
  resolver: Resolver,
): string | undefined {
  const [, properties] = resourcesOfType(template, 'AWS::SQS::Queue').find(([id]) => id === logicalId) ?? []
  const policy = properties?.RedrivePolicy as { deadLetterTargetArn: unknown } | undefined
  return policy === undefined ? undefined : resolver.string(policy.deadLetterTargetArn)
}
