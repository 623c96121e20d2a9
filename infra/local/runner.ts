/** Starts the parts of the synthesised stack on this machine in the order of their dependencies. */
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { canaryPort } from '../../shared/contract/canary.ts'
import { consolePath } from '../../shared/contract/console.ts'
import { type Route, readRoutes } from './api-routes.ts'
import { startApiServer } from './api-server.ts'
import { readAthenaDefinitions } from './aws/athena-tables.ts'
import { type Clients, connect, runtimeEnvironment } from './aws/clients.ts'
import type { CloudWatchEmulator } from './aws/cloudwatch.ts'
import { type Emulators, startEmulators } from './aws/emulators.ts'
import type { EventEntry } from './aws/events.ts'
import { readPublishers } from './aws/publishers.ts'
import { createResources, type Resources } from './aws/resources.ts'
import { LocalAuthority } from './certificates.ts'
import type { MetricId } from './cloudwatch/metric-store.ts'
import { readAlarms } from './cloudwatch/read-alarms.ts'
import { type DnsServer, startDnsServer } from './dns/server.ts'
import type { Zone } from './dns/zone.ts'
import { type Endpoints, namesIn } from './endpoints.ts'
import { type Folders, type Logs, openFolders } from './folders.ts'
import { choosePort, Ingress, readIngressEnvironment } from './ingress.ts'
import { FunctionSet } from './lambda/function-set.ts'
import {
  type DefinedFunction,
  readEventSources,
  readFunctions,
  registerFunctions,
} from './lambda/functions.ts'
import { startInvokeServer } from './lambda/invoke-server.ts'
import type { Translation } from './lambda/nat.ts'
import { startPoller } from './lambda/poller.ts'
import { readSchedules, startSchedule } from './lambda/schedule.ts'
import { startNoticeReader } from './notices.ts'
import type { Options } from './options.ts'
import { lockState, restoreSnapshot, saveSnapshot } from './state.ts'
import { type Assembly, synthesise } from './synthesise.ts'
import { Resolver, resourcesOfType, type Template } from './template.ts'

export interface Runner<W extends PartnerNetwork> {
  readonly endpoints: Endpoints
  readonly authority: LocalAuthority
  readonly network: W
  /** Kills every Lambda worker that runs an invocation; returns their number. */
  crashWorkers(): number
  /** Stops accepting mail, waits for running invocations, and saves the state if there is a state directory. */
  stop(): Promise<void>
}

/** The partners' network: its DNS zone, and servers to close when the runner stops. */
export interface PartnerNetwork {
  readonly zone: Zone
  close(): Promise<void>
}

/** Starts the partners' servers, which may need certificates of the local authority. */
export type StartPartners<W extends PartnerNetwork> = (authority: LocalAuthority) => Promise<W>

/** On this machine an event waits for a second until it is stored. */
const erasureWaitSeconds = 3

/** Timeout of running invocations when the runner stops. */
const drainTimeoutMs = 10_000

interface Context {
  readonly options: Options
  /** Prints an error or an event as one line. */
  readonly notify: (line: string) => void
  /** Registers a function that stops a part. The part that started last stops first. */
  readonly onStop: (close: () => Promise<unknown> | unknown) => void
}

/**
 * Starts all parts. When the start fails, stops the parts that have started.
 * @param notify receives one line for each error at run time
 * @param interrupted cancels the start
 * @throws StartError with one line when a part cannot start; the reason of `interrupted` when it cancelled the start
 */
export async function startRunner<W extends PartnerNetwork>(
  options: Options,
  startPartners: StartPartners<W>,
  notify: (line: string) => void,
  interrupted: AbortSignal,
): Promise<Runner<W>> {
  const closers: (() => Promise<unknown> | unknown)[] = []
  const onStop = (close: () => Promise<unknown> | unknown) => {
    closers.push(close)
    interrupted.throwIfAborted()
  }
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close()
  }
  try {
    return { ...(await start({ options, notify, onStop }, startPartners)), stop }
  } catch (error) {
    await stop()
    throw interrupted.aborted ? interrupted.reason : error
  }
}

async function start<W extends PartnerNetwork>(
  context: Context,
  startPartners: StartPartners<W>,
): Promise<Omit<Runner<W>, 'stop'>> {
  const { options, onStop } = context
  const folders = openFolders(options.stateDirectory, onStop)
  if (options.stateDirectory !== null) onStop(lockState(folders.persistent))
  const smtpPort = await choosePorts(options)
  const certificates = join(folders.persistent, 'certificates')
  const authority = await LocalAuthority.open(certificates)
  const { network, dns } = await startNetwork(context, () => startPartners(authority))
  const aws = await startAws(context, folders)
  const stack = await openStack(context, { folders, dns, aws })
  registerFunctions(stack.template, stack.resolver)
  const ingressEnvironment = readIngressEnvironment(stack.template, stack.resolver)
  const invokePort = await choosePort(0, 'lambda')
  await fillSecret(ingressEnvironment, aws.emulators, authority)
  const unitEnvironment = {
    ...aws.environment,
    NODE_COMPILE_CACHE: stack.compileCache,
    AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${invokePort}`,
  }
  const { cloudWatch } = aws.emulators
  cloudWatch.setAlarms(readAlarms(stack.template, stack.resolver))
  const ingressLog = cloudWatch.metricsTo(folders.logs.open('ingress'))
  const starting = startIngress(context, ingressLog, smtpPort, {
    ...unitEnvironment,
    ...ingressEnvironment,
  })
  const stopIngress = () =>
    starting.then(
      ({ process }) => process.stop(),
      () => undefined,
    )
  const { functions, servers } = await startHandlers(context, {
    logs: folders.logs,
    ports: { ...network.zone.ports, ...canaryRule(ingressEnvironment, smtpPort) },
    aws,
    stack,
    invokePort,
    base: {
      ...unitEnvironment,
      CANARY_AUTHORITY: authority.certificate,
      ERASURE_WAIT_SECONDS: String(erasureWaitSeconds),
    },
  }).catch(async (error: unknown) => {
    await stopIngress()
    throw error
  })
  // Registered last, so that the ingress stops first.
  onStop(stopIngress)
  const ingress = await starting
  cloudWatch.addSource((metric) => healthyHostCount(metric, ingress.process))

  const endpoints: Endpoints = {
    ...aws.emulators.endpoints,
    ...servers.urls,
    ...namesOf(stack, [ingressEnvironment, ...functions.definitions.map(({ environment }) => environment)]),
    smtp: `127.0.0.1:${smtpPort}`,
    health: `http://127.0.0.1:${ingress.healthPort}/health`,
    dns: `127.0.0.1:${dns.port}`,
    functions: functions.definitions.map(({ name }) => name),
    authority: join(certificates, 'authority.pem'),
    logs: folders.logs.directory,
    pids: { runner: process.pid, ingress: ingress.process.pid },
  }
  return { authority, network, endpoints, crashWorkers: () => functions.set.crash() }
}

/** In place of the load balancer: the number of healthy ingress tasks, of which this machine has one. */
async function healthyHostCount({ namespace, name }: MetricId, ingress: Ingress): Promise<number | null> {
  if (namespace !== 'AWS/NetworkELB' || name !== 'HealthyHostCount') return null
  return Number(await ingress.isHealthy())
}

/** In place of the load balancer: leads the canary, which connects to the host name, to the ingress. */
const canaryRule = ({ MAIL_HOSTNAME: name = '' }: Readonly<Record<string, string>>, smtpPort: number) => ({
  [`${name}:${canaryPort}`]: `127.0.0.1:${smtpPort}`,
})

/** @param environments the environments of all units */
const namesOf = ({ template, resolver, resources }: Stack, environments: readonly object[]) =>
  namesIn(Object.assign({}, ...environments), template, resolver, resources)

/** Checks ports before the slow parts of the start. @returns the SMTP port */
async function choosePorts({ smtpPort, apiPort, pagesPort }: Options): Promise<number> {
  const port = await choosePort(smtpPort, '--smtp-port')
  await choosePort(apiPort, '--api-port')
  await choosePort(pagesPort, '--pages-port')
  return port
}

async function startNetwork<W extends PartnerNetwork>(
  { options, onStop }: Context,
  startPartners: () => Promise<W>,
): Promise<{ network: W; dns: DnsServer }> {
  const network = await startPartners()
  onStop(() => network.close())
  const dns = await startDnsServer(network.zone, options.dnsPort)
  onStop(() => dns.close())
  return { network, dns }
}

interface Aws {
  readonly emulators: Emulators
  readonly clients: Clients
  /** The environment variables that every unit gets in addition to its own. */
  readonly environment: Readonly<Record<string, string>>
}

async function startAws({ options, notify, onStop }: Context, { persistent, logs }: Folders): Promise<Aws> {
  const emulators = await startEmulators(
    options.stateDirectory === null ? null : persistent,
    options.secretsDirectory,
    logEvents(logs, notify),
  )
  onStop(() => emulators.close())
  return { emulators, clients: connect(emulators), environment: runtimeEnvironment(emulators) }
}

/** Prints the type of each event on the event bus, and logs the whole event. */
function logEvents(logs: Logs, notify: (line: string) => void): (entry: EventEntry) => void {
  const file = logs.open('events')
  return ({ DetailType, Detail }) => {
    file.write(`${JSON.stringify({ detailType: DetailType, detail: JSON.parse(Detail) })}\n`, () =>
      notify(`event: ${DetailType} (logs/events.log)`),
    )
  }
}

interface Stack extends Assembly {
  readonly resolver: Resolver
  readonly resources: Resources
}

/**
 * Synthesises the template, creates its resources, restores their content from the last stop, and begins to read the
 * notices.
 */
async function openStack(
  { options, notify, onStop }: Context,
  { folders, dns, aws: { clients, emulators } }: { folders: Folders; dns: DnsServer; aws: Aws },
): Promise<Stack> {
  const assembly = await synthesise(settingsOf(options), folders.temporary)
  const template = withDnsServer(assembly.template, `127.0.0.1:${dns.port}`)
  const resolver = new Resolver(template)
  const resources = await createResources(template, resolver, clients, emulators.secrets)
  emulators.limitPublishers(readPublishers(template, resolver))
  emulators.setAthenaDefinitions(readAthenaDefinitions(template, resolver))
  if (options.stateDirectory !== null) {
    await restoreSnapshot(folders.persistent, emulators.queues, clients.s3)
    onStop(() => saveSnapshot(folders.persistent, emulators.queues, clients.s3, resources.buckets))
  }
  const notices = await startNoticeReader(clients, resources.topics, folders.logs.open('notices'), notify)
  onStop(() => notices.stop())
  return { ...assembly, template, resolver, resources }
}

/** A placeholder for the DNS server's address, so that the cached template works for any port. */
const dnsPlaceholder = '127.127.127.127:53'

/** Deployment settings for this machine: partners are on loopback, with names in the zone. */
const localSettings = {
  defaultRoute: 'Mx',
  mtaSts: { mode: 'testing' },
  privateMxNetworks: ['127.0.0.0/8'],
  dnsServers: [dnsPlaceholder],
  // A short interval, so that a user can try a rotation.
  certificate: { readEverySeconds: 5 },
}

/**
 * Adds the runner's settings. On this machine small batches cost nothing, so no job waits for a larger one. It runs one
 * ingress task.
 */
function settingsOf({ settings }: Options): Record<string, unknown> {
  const { functions, ingress } = { functions: {}, ingress: {}, ...settings } as {
    functions: { deliver?: object }
    ingress: object
  }
  const deliver = { batchingWindowSeconds: 0, ...functions.deliver }
  return {
    ...localSettings,
    ...(settings.jwt === undefined && { console: {} }),
    ...settings,
    functions: { ...functions, deliver },
    ingress: { minimumTasks: 1, ...ingress },
  }
}

const withDnsServer = (template: Template, address: string): Template =>
  JSON.parse(JSON.stringify(template).replaceAll(dnsPlaceholder, address))

/** Puts the ingress's certificate into its secret, as an administrator does before the first deployment. */
async function fillSecret(
  { TLS_SECRET_ARN: arn = '', MAIL_HOSTNAME: name = '' }: Readonly<Record<string, string>>,
  { secrets }: Emulators,
  authority: LocalAuthority,
): Promise<void> {
  secrets.create(arn, JSON.stringify(await authority.issue(name)))
}

interface Functions {
  readonly definitions: readonly DefinedFunction[]
  readonly set: FunctionSet
  invoke(arn: string, event: unknown): Promise<unknown>
}

interface FunctionsOptions {
  readonly logs: Logs
  /** The destination NAT of the functions' sockets. */
  readonly ports: Translation
  readonly aws: Aws
  readonly stack: Stack
  /** The environment variables of Lambda's runtime. */
  readonly base: Readonly<Record<string, string>>
  /** The port of Lambda's Invoke API. */
  readonly invokePort: number
}

/** Starts the functions, each with one execution environment, then the pollers of their queues and the schedules. */
async function startFunctions(
  { notify, onStop }: Context,
  { logs, ports, aws, stack, base }: FunctionsOptions,
): Promise<Functions> {
  const { template, resolver, resources } = stack
  const definitions = readFunctions(template, resolver, stack.assets, base, ports)
  const { cloudWatch } = aws.emulators
  const set = new FunctionSet(definitions, (name) => cloudWatch.metricsTo(logs.open(name)))
  onStop(() => set.stop())
  await set.warm()
  const invoke = (arn: string, event: unknown) => countErrors(cloudWatch, arn, set.invoke(arn, event))
  const pollers = readEventSources(template, resolver, definitions, resources.queues).map(
    ({ target, source }) =>
      startPoller(
        aws.clients.sqs,
        source,
        (event) => invoke(target.arn, event),
        notify,
        () => set.whenIdle(target.arn),
      ),
  )
  const drain = () => Promise.all(pollers.map((poller) => poller.stop()))
  onStop(() => Promise.race([drain(), delay(drainTimeoutMs, undefined, { ref: false })]))
  for (const schedule of readSchedules(template, resolver)) onStop(startSchedule(schedule, invoke, notify))
  return { definitions, set, invoke }
}

/** Records Lambda's metric `Errors`: 1 for a failed invocation, 0 for any other. */
async function countErrors(
  cloudWatch: CloudWatchEmulator,
  arn: string,
  invocation: Promise<unknown>,
): Promise<unknown> {
  const dimensions = { FunctionName: arn.split(':').at(-1) ?? '' }
  const record = (errors: number) =>
    cloudWatch.record({ namespace: 'AWS/Lambda', name: 'Errors', dimensions }, errors)
  try {
    const result = await invocation
    record(0)
    return result
  } catch (error) {
    record(1)
    throw error
  }
}

async function startHandlers(
  context: Context,
  options: FunctionsOptions,
): Promise<{ functions: Functions; servers: Servers }> {
  const functions = await startFunctions(context, options)
  return { functions, servers: await startServers(context, functions, options) }
}

interface Servers {
  readonly urls: Pick<Endpoints, 'api' | 'signInApi' | 'console' | 'pages' | 'lambda'>
}

/**
 * Invokes the functions that a deployment invokes, starts the HTTP APIs and Lambda's Invoke API, and waits until the
 * invocations have ended.
 */
async function startServers(
  { options, notify, onStop }: Context,
  { definitions, invoke }: Functions,
  { stack: { template, resolver }, invokePort }: FunctionsOptions,
): Promise<Servers> {
  const customResources = resourcesOfType(template, 'AWS::CloudFormation::CustomResource').map(
    ([id, { ServiceToken }]) =>
      invoke(resolver.string(ServiceToken), { RequestType: 'Create', LogicalResourceId: id }),
  )
  const invocations = await startInvokeServer((name, event) => {
    const definition = definitions.find((candidate) => candidate.name === name)
    return definition === undefined ? null : invoke(definition.arn, event)
  }, invokePort)
  onStop(() => invocations.close())
  const apis = Map.groupBy(readRoutes(template, resolver), ({ api }) => api)
    .values()
    .toArray()
  const apiWith = (authorization: string) =>
    apis.find((routes) => routes.some((each) => each.authorization === authorization))
  const publicApi = apis.find((routes) => routes.every(({ authorization }) => authorization === 'NONE'))
  const serve = async (routes: readonly Route[] = [], port: number, option: string) => {
    const server = await startApiServer(
      routes,
      invoke,
      { port, option, isPublic: routes === publicApi },
      notify,
    )
    onStop(() => server.close())
    return `http://127.0.0.1:${server.port}`
  }
  const api = await serve(apiWith('AWS_IAM'), options.apiPort, '--api-port')
  const pages = `${await serve(publicApi, options.pagesPort, '--pages-port')}/`
  const signInRoutes = apiWith('JWT')
  const signInApi = signInRoutes ? { signInApi: await serve(signInRoutes, 0, 'sign-in') } : {}
  const hasConsole = apis.some((routes) => routes.some(({ key }) => key === `GET ${consolePath}`))
  const console = hasConsole ? { console: `${signInApi.signInApi ?? api}${consolePath}` } : {}
  await Promise.all(customResources)
  return { urls: { api, ...signInApi, pages, lambda: invocations.url, ...console } }
}

/** Starts the ingress while the functions start. Resolves when the ingress is healthy. */
function startIngress(
  { notify }: Context,
  log: Writable,
  smtpPort: number,
  environment: Readonly<Record<string, string>>,
): Promise<{ process: Ingress; healthPort: number }> {
  const starting = (async () => {
    const healthPort = await choosePort(0, 'health')
    const process = await Ingress.start({ environment, smtpPort, healthPort, log, onRestart: notify })
    return { process, healthPort }
  })()
  // The caller awaits the promise later; until then a rejection must not crash the process.
  starting.catch(() => undefined)
  return starting
}
