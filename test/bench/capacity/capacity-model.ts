/**
 * The load of each resource at a rate of mail, beside its limit. Driven by the recording of the calls of a message; pure.
 * What depends on the rate is derived as in the cost: the batches of functions, the requests that messages share.
 */
import { add, noAmounts, scale } from '../cost/call-statistics.ts'
import { type CostFacts, ingressAt, isTimed, jobsOf, type QueueJobs } from '../cost/cost-model.ts'
import type { Call, IdleRecording } from '../cost/recording.ts'
import { ofType, only, type StackFacts } from '../cost/stack-facts.ts'
import { type LimitName, limits } from './limits.ts'

/**
 * `Setting`: a setting of cdk.json raises the limit. `Request`: AWS raises it on request. `Design`: neither does.
 */
export type Remedy = 'Setting' | 'Request' | 'Design'

export interface ResourceLoad {
  readonly resource: string
  /** What is counted, and its unit. */
  readonly measure: string
  readonly load: number
  readonly limit: number
  /** Part of the limit, in percent. */
  readonly percent: number
  readonly remedy: Remedy
  /** The value of the setting that carries the load, where it has another unit than the load. */
  readonly needed?: number
  /** The setting, quota or design that the limit comes from. */
  readonly of: string
  readonly source: string
}

export interface CapacityOptions {
  readonly messagesPerSecond: number
  /** Number of connectors; each costs reads when a process loads the connectors. */
  readonly connectors: number
}

export interface CapacityFacts extends CostFacts {
  readonly idle: IdleRecording
}

/** The loads, the largest share of a limit first. */
export function loadsAt(facts: CapacityFacts, options: CapacityOptions): ResourceLoad[] {
  const jobs = jobsOf(facts, options.messagesPerSecond)
  const task = ingressAt(facts.ingress, facts.stack, options.messagesPerSecond)
  const rates = callRates(facts, jobs, task.tasks, options.messagesPerSecond)
  return [
    ...tableLoads(rates, facts.stack, options),
    ...partitionLoads(rates),
    ...prefixLoads(rates),
    ...functionLoads(jobs, facts, options),
    ...destinationLoads(rates, jobs, facts.stack),
    ...taskLoads(task, facts.stack, options),
    ...serviceLoads(rates, jobs, task.tasks, facts.stack),
    ...snapshotLoads(facts, jobs, task.tasks, options),
  ].sort((a, b) => b.percent - a.percent)
}

/** The resource that ends first, without what AWS grants on request. */
export const firstBottleneck = (loads: readonly ResourceLoad[]): ResourceLoad | undefined =>
  loads.find(({ remedy }) => remedy !== 'Request')

/** The highest rate that every resource carries, except what AWS grants on request. @returns messages per second */
export function carriedRate(facts: CapacityFacts, options: Pick<CapacityOptions, 'connectors'>): number {
  const isCarried = (messagesPerSecond: number) =>
    (firstBottleneck(loadsAt(facts, { ...options, messagesPerSecond }))?.percent ?? 0) <= 100
  let [carried, tooMuch] = [0, 100_000]
  while (tooMuch - carried > Math.max(0.5, carried * 0.005)) {
    const middle = (carried + tooMuch) / 2
    if (isCarried(middle)) carried = middle
    else tooMuch = middle
  }
  return Math.floor(carried)
}

interface CallRate {
  readonly call: Call
  readonly requestsPerSecond: number
  readonly unitsPerSecond: number
}

function callRates(
  { recording }: CapacityFacts,
  jobs: readonly QueueJobs[],
  tasks: number,
  messagesPerSecond: number,
): CallRate[] {
  const { conditions } = recording
  return recording.calls
    .filter(({ unit }) => unit !== 'event-source')
    .map((call) => {
      const ofUnit = jobs.filter(({ unit }) => unit === call.unit)
      if (isTimed(call)) {
        const perSecond = scale(call.perMessage, conditions.messagesPerSecond * tasks)
        return { call, requestsPerSecond: perSecond.requests, unitsPerSecond: perSecond.units }
      }
      const perMessage =
        ofUnit.length === 0
          ? call.perMessage
          : ofUnit
              .map(({ perMessage: jobsPerMessage, batches }) =>
                scale(add(scale(call.perBatch, 1 / batches.jobs), call.perMessage), jobsPerMessage),
              )
              .reduce(add, noAmounts)
      return {
        call,
        requestsPerSecond: perMessage.requests * messagesPerSecond,
        unitsPerSecond: perMessage.units * messagesPerSecond,
      }
    })
}

const isRead = ({ operation }: Call): boolean => /^(Get|Query|Scan|BatchGet|TransactGet|Head)/.test(operation)

function loadOf(
  resource: string,
  measure: string,
  load: number,
  limit: number,
  remedy: Remedy,
  of: string,
  source = '',
): ResourceLoad {
  return { resource, measure, load, limit, percent: (100 * load) / limit, remedy, of, source }
}

const byLimit = (
  resource: string,
  measure: string,
  load: number,
  name: LimitName,
  remedy: Remedy,
  of: string,
) => loadOf(resource, measure, load, limits[name].value, remedy, of, limits[name].source)

const sumUnits = (rates: readonly CallRate[]): number =>
  rates.reduce((sum, { unitsPerSecond }) => sum + unitsPerSecond, 0)

/**
 * A new table or index begins with 4,000 write units per second, and grows in minutes to hours. The setting
 * `warmMessagesPerSecond` raises the writes of the tables that each message writes.
 */
function tableLoads(
  rates: readonly CallRate[],
  { resources }: StackFacts,
  { messagesPerSecond }: CapacityOptions,
): ResourceLoad[] {
  const tables = Map.groupBy(
    rates.filter(({ call }) => call.service === 'dynamodb'),
    ({ call }) => call.resource,
  )
  return [...tables].flatMap(([name, ofTable]) => {
    const [table = '', index] = name.split('/')
    const properties = ofType(resources, 'AWS::DynamoDB::Table').find(({ id }) =>
      id.startsWith(table),
    )?.properties
    const warm =
      index === undefined
        ? properties?.WarmThroughput
        : properties?.GlobalSecondaryIndexes?.find(
            ({ IndexName }: { IndexName: string }) => IndexName === index,
          )?.WarmThroughput
    const [reads, writes] = [true, false].map((wanted) =>
      sumUnits(ofTable.filter(({ call }) => isRead(call) === wanted)),
    ) as [number, number]
    const rows = [
      { measure: 'write units/s', load: writes, start: warm?.WriteUnitsPerSecond, name: 'tableWrites' },
      { measure: 'read units/s', load: reads, start: warm?.ReadUnitsPerSecond, name: 'tableReads' },
    ] as const
    return rows
      .filter(({ load }) => load > 0)
      .flatMap(({ measure, load, start, name: limit }) => {
        const isWarmed = limit === 'tableWrites' && table !== 'ConnectorsTable'
        return [
          {
            ...loadOf(
              name,
              `${measure} on the first day`,
              load,
              start ?? limits[limit].value,
              isWarmed ? 'Setting' : 'Design',
              isWarmed ? 'warmMessagesPerSecond' : 'new table',
              limits[limit].source,
            ),
            needed: Math.ceil(messagesPerSecond),
          },
          byLimit(name, measure, load, 'tableQuota', 'Request', 'quota of a table'),
        ]
      })
  })
}

/** One partition carries 1,000 writes and 3,000 reads per second, whatever the table carries. */
function partitionLoads(rates: readonly CallRate[]): ResourceLoad[] {
  const keyed = rates.filter(({ call }) => call.service === 'dynamodb' && call.hottestShare > 0)
  const partitions = Map.groupBy(keyed, ({ call }) =>
    JSON.stringify([call.resource, partitionOf(call), isRead(call)]),
  )
  return [...partitions.values()].flatMap((calls) => {
    const [{ call }] = calls as [CallRate]
    const load = calls.reduce((sum, each) => sum + each.unitsPerSecond * each.call.hottestShare, 0)
    const name = `${call.resource} ${partitionOf(call)}`
    return isRead(call)
      ? [
          byLimit(
            name,
            'read units/s of its hottest partition',
            load,
            'partitionReads',
            'Design',
            'partition',
          ),
        ]
      : [
          byLimit(
            name,
            'write units/s of its hottest partition',
            load,
            'partitionWrites',
            'Design',
            'partition',
          ),
        ]
  })
}

/** The pattern of the partition key, without the sort key. */
const partitionOf = ({ key }: Call): string => key.split(' ')[0] ?? ''

function prefixLoads(rates: readonly CallRate[]): ResourceLoad[] {
  return rates
    .filter(({ call }) => call.service === 's3' && call.hottestShare > 0)
    .map(({ call, requestsPerSecond }) => {
      const load = requestsPerSecond * call.hottestShare
      const name = `${call.resource} ${call.key}`
      return isRead(call)
        ? byLimit(name, 'GET/s of a prefix', load, 'prefixGets', 'Design', 'prefix')
        : byLimit(name, 'PUT/s of a prefix', load, 'prefixPuts', 'Design', 'prefix')
    })
}

/** Settings of cdk.json that bound the concurrency of a queue's consumer. */
const concurrencySettings: readonly (readonly [queue: RegExp, setting: string])[] = [
  [/^QueuesEvaluation/, 'functions.evaluate.concurrency'],
  [/^QueuesAuthentication/, 'functions.authenticate.concurrency'],
  [/^Queues\w*Delivery/, 'functions.deliver.concurrency'],
  [/^QueuesBounce/, 'functions.bounce.concurrency'],
  [/^QueuesEvents/, 'functions.record.concurrency'],
]

/** @returns the setting; null when the maximum of a queue's consumer has none */
export const concurrencySetting = (queue: string): string | null =>
  concurrencySettings.find(([pattern]) => pattern.test(queue))?.[1] ?? null

function functionLoads(
  jobs: readonly QueueJobs[],
  { stack }: CapacityFacts,
  { messagesPerSecond }: CapacityOptions,
): ResourceLoad[] {
  const all = jobs.reduce((sum, { batches }) => sum + batches.concurrency, 0)
  const invocations = jobs.reduce(
    (sum, { perMessage, batches }) => sum + (perMessage * messagesPerSecond) / batches.jobs,
    0,
  )
  const sources = stack.functions.flatMap((facts) => facts.sources)
  const ofQueues = jobs.flatMap(({ unit, queue, batches }) => {
    const maximum = sources.find((source) => source.queue === queue)?.maximumConcurrency ?? 0
    const setting = concurrencySetting(queue)
    return [
      loadOf(
        `${unit} for ${queue}`,
        'concurrent invocations',
        batches.concurrency,
        maximum,
        setting === null ? 'Design' : 'Setting',
        setting ?? 'maximum concurrency',
      ),
      byLimit(
        queue,
        'jobs in flight',
        batches.concurrency * batches.jobs,
        'messagesInFlight',
        'Request',
        'quota',
      ),
      byLimit(
        queue,
        'batches at the same time',
        batches.concurrency,
        'eventSourceBatches',
        'Design',
        'event source',
      ),
    ]
  })
  const { accountConcurrency: account, invocationsPerConcurrency: factor } = limits
  return [
    ...ofQueues,
    byLimit(
      'Lambda',
      'concurrent invocations of the account',
      all,
      'accountConcurrency',
      'Request',
      'L-B99A9384',
    ),
    loadOf(
      'Lambda',
      'invocations/s',
      invocations,
      account.value * factor.value,
      'Request',
      'L-B99A9384',
      factor.source,
    ),
  ]
}

/** Deliveries to the destination that gets most mail, beside the slots that it has. */
function destinationLoads(
  rates: readonly CallRate[],
  jobs: readonly QueueJobs[],
  { resources }: StackFacts,
): ResourceLoad[] {
  const slots = environmentOf(resources, 'DELIVERIES_PER_DESTINATION')
  const leases = rates.find(({ call }) => call.key.startsWith('destination#'))
  if (slots === null || leases === undefined) return []
  const concurrency = jobs
    .filter(({ unit }) => unit === 'deliver-message')
    .reduce((sum, { batches }) => sum + batches.concurrency, 0)
  return [
    loadOf(
      'deliver-message',
      'concurrent deliveries to the busiest destination',
      concurrency * leases.call.hottestShare,
      slots,
      'Setting',
      'functions.deliver.concurrencyPerDestination',
    ),
  ]
}

/** @returns the number in an environment variable of a function; null when no function has it */
function environmentOf(resources: StackFacts['resources'], name: string): number | null {
  const values = ofType(resources, 'AWS::Lambda::Function').map(
    ({ properties }) => properties.Environment?.Variables?.[name],
  )
  const value = values.find((each) => each !== undefined)
  return value === undefined ? null : Number(value)
}

/** Seconds of a session that carries one message. An assumption. */
const sessionSeconds = 2

function taskLoads(
  task: ReturnType<typeof ingressAt>,
  { resources }: StackFacts,
  { messagesPerSecond }: CapacityOptions,
): ResourceLoad[] {
  const { MaxCapacity: maximumTasks } = only(resources, 'AWS::ApplicationAutoScaling::ScalableTarget')
  const [container] = only(resources, 'AWS::ECS::TaskDefinition').ContainerDefinitions
  const variables = new Map<string, string>(
    container.Environment.map(({ Name, Value }: { Name: string; Value: string }) => [Name, Value]),
  )
  const tasks = Math.min(task.tasks, maximumTasks)
  return [
    loadOf('smtp-ingress', 'tasks', task.tasks, maximumTasks, 'Setting', 'ingress.maximumTasks'),
    loadOf(
      'smtp-ingress',
      'messages/s of a task, of its processor',
      messagesPerSecond / tasks,
      task.capacity,
      'Setting',
      'ingress.maximumTasks',
    ),
    loadOf(
      'smtp-ingress',
      `sessions of a task, each ${sessionSeconds} s with one message`,
      (messagesPerSecond / tasks) * sessionSeconds,
      Number(variables.get('MAX_CONNECTIONS')),
      'Setting',
      'ingress.maximumConnections',
    ),
    byLimit('Fargate', 'processors', task.tasks * task.vcpu, 'fargateVcpus', 'Request', 'L-3032A538'),
  ]
}

function serviceLoads(
  rates: readonly CallRate[],
  jobs: readonly QueueJobs[],
  tasks: number,
  { resources }: StackFacts,
): ResourceLoad[] {
  const requests = (service: string, operation: RegExp) =>
    rates
      .filter(({ call }) => call.service === service && operation.test(call.operation))
      .reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0)
  const environments = jobs.reduce((sum, { batches }) => sum + batches.concurrency, 0)
  const deliveries = jobs
    .filter(({ unit }) => unit === 'deliver-message')
    .reduce((sum, { batches }) => sum + batches.concurrency * batches.jobs, 0)
  const gateways = ofType(resources, 'AWS::EC2::NatGateway').length
  const rows = [
    byLimit('Amazon SES', 'messages/s', requests('ses', /^Send/), 'sesMessages', 'Request', 'sending rate'),
    byLimit('EventBridge', 'events/s', requests('events', /./), 'eventBridgeEvents', 'Request', 'quota'),
    byLimit('CloudWatch Logs', 'requests/s', environments + tasks, 'putLogEvents', 'Request', 'quota'),
    ...(gateways > 0
      ? [
          loadOf(
            'NAT gateways',
            'connections, if all are to one address',
            deliveries,
            gateways * limits.natConnections.value,
            'Design',
            'ports',
            limits.natConnections.source,
          ),
        ]
      : []),
  ]
  return rows.filter(({ load }) => load > 0)
}

/** Octets of a connector in the table. */
const connectorOctets = 560
/** Seconds after which a process loads the connectors again although their version is the same. */
const reloadSeconds = 60

/** The reads of processes that load all connectors, each once per `reloadSeconds`. */
function snapshotLoads(
  { idle }: CapacityFacts,
  jobs: readonly QueueJobs[],
  tasks: number,
  { connectors }: CapacityOptions,
): ResourceLoad[] {
  const loadsTable = idle.calls.some(
    ({ operation, resource, key }) =>
      operation === 'Query' && resource === 'ConnectorsTable' && key.includes('connector'),
  )
  const evaluating = jobs
    .filter(({ unit }) => unit === 'evaluate-policy')
    .reduce((sum, { batches }) => sum + batches.concurrency, 0)
  const loadsPerSecond = (evaluating + tasks) / reloadSeconds
  if (!loadsTable) {
    const isObject = idle.calls.some(({ service, key }) => service === 's3' && key.startsWith('snapshot'))
    return isObject
      ? [byLimit('snapshot of the connectors', 'GET/s', loadsPerSecond, 'prefixGets', 'Design', 'prefix')]
      : []
  }
  const units = Math.ceil((connectors * connectorOctets) / 4096)
  const name = `ConnectorsTable, ${connectors} connectors`
  return [
    byLimit(
      name,
      'read units/s of one partition',
      loadsPerSecond * units,
      'partitionReads',
      'Design',
      'partition',
    ),
    byLimit(
      name,
      'read units/s on the first day',
      loadsPerSecond * units,
      'tableReads',
      'Design',
      'new table',
    ),
  ]
}
