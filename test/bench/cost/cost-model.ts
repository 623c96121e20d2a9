/**
 * The cost of a million messages at a rate. The calls are those of a recording; how many jobs or messages share a call
 * is derived where it depends on the rate. Pure.
 */
import { type Batches, batchesAt } from './batch-model.ts'
import { type Amounts, add, noAmounts, scale } from './call-statistics.ts'
import { gigabyte, type PriceName, prices, secondsPerMonth } from './prices.ts'
import type { Call, IngressRates, RecordedFunction, Recording } from './recording.ts'
import { ofType, only, type StackFacts } from './stack-facts.ts'

export interface CostLine {
  readonly service: string
  readonly unit: string
  readonly item: string
  /** Requests, units, gigabytes or hours of a million messages. */
  readonly quantity: number
  readonly usd: number
  /** `Measured`: counted in the run. `Derived`: from the run, with the batches of this rate. */
  readonly origin: 'Measured' | 'Derived'
}

export interface CostOptions {
  readonly messagesPerSecond: number
  /** Octets of a message; those of the recording unless set. */
  readonly messageOctets: number
}

export interface CostFacts {
  readonly recording: Recording
  readonly ingress: IngressRates
  readonly stack: StackFacts
}

export interface Cost {
  /** What the goal of the design counts. */
  readonly lines: readonly CostLine[]
  /** What the network and Amazon SES cost in addition, by list price. */
  readonly besides: readonly CostLine[]
  readonly batches: readonly (Batches & { readonly unit: string; readonly queue: string })[]
  readonly tasks: number
}

export const million = 1_000_000

/** Octets that CloudWatch counts for each line in addition (PutLogEvents, API reference of CloudWatch Logs). */
const octetsPerLogLine = 26
/**
 * The lines START, END and REPORT of an invocation in the text format
 * (https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html).
 */
const invocationLog = { octets: 71 + 52 + 155, lines: 3 }
/** CloudWatch stores compressed logs, by its price examples a sixth to a seventh (https://aws.amazon.com/cloudwatch/pricing/). */
const logCompression = 0.15
/** DynamoDB's overhead of an item and of an index entry (developer guide, CapacityUnitCalculations). */
const storedItemOverhead = 100
/** Headers of TCP and IP, TLS records, commands and replies: an assumption. */
const networkOverhead = 1.06

const usd = (quantity: number, name: PriceName): number => quantity * prices[name].usd

export function costOfMillion(facts: CostFacts, options: CostOptions): Cost {
  const { recording, ingress, stack } = facts
  const jobs = jobsOf(facts, options.messagesPerSecond)
  const task = ingressAt(ingress, stack, options.messagesPerSecond)
  const lines = [
    ...callLines(recording, jobs, task),
    ...pollerLines(jobs),
    ...functionLines(jobs),
    ...logLines(recording, jobs, stack),
    ...storageLines(recording, stack, options),
    ...taskLines(task, options),
    line('Network Load Balancer', 'balancer', 'capacity', gigabytes(options), 'balancerUnitHour'),
  ]
  return {
    lines: lines.filter(({ usd: cost }) => cost > 0).sort((a, b) => b.usd - a.usd),
    besides: besides(recording, stack, options),
    batches: jobs.map(({ unit, queue, batches }) => ({ unit, queue, ...batches })),
    tasks: task.tasks,
  }
}

/** Octets of a million messages on the network. */
const gigabytes = ({ messageOctets }: CostOptions): number =>
  (messageOctets * networkOverhead * million) / gigabyte

const line = (
  service: string,
  unit: string,
  item: string,
  quantity: number,
  name: PriceName,
  origin: CostLine['origin'] = 'Derived',
): CostLine => ({ service, unit, item, quantity, usd: usd(quantity, name), origin })

/** The jobs of one queue. */
export interface QueueJobs {
  readonly unit: string
  readonly queue: string
  readonly memoryMiB: number
  readonly perMessage: number
  readonly recorded: RecordedFunction
  readonly batches: Batches
}

export function jobsOf(
  { recording, stack }: Pick<CostFacts, 'recording' | 'stack'>,
  messagesPerSecond: number,
): QueueJobs[] {
  return recording.functions.flatMap((recorded) => {
    const facts = stack.functions.find(({ unit }) => unit === recorded.unit)
    if (facts === undefined) throw new Error(`the stack has no function ${recorded.unit}`)
    return Object.entries(recorded.jobsPerMessage).map(([queue, perMessage]) => {
      const source = facts.sources.find((each) => each.queue === queue)
      if (source === undefined) throw new Error(`no queue ${queue} invokes ${recorded.unit}`)
      const { unit, memoryMiB } = facts
      const batchSize = Math.min(source.batchSize, maxJobsOfEvent(recording, queue))
      const batches = batchesAt(messagesPerSecond * perMessage, { ...source, batchSize }, recorded, memoryMiB)
      return { unit, queue, memoryMiB, perMessage, recorded, batches }
    })
  })
}

/** Octets of one event of a function: a batch ends there, whatever its size. */
const maxEventOctets = 6 * 1024 * 1024

/** @returns the jobs of average size that fit into one event of a function */
function maxJobsOfEvent({ calls }: Recording, queue: string): number {
  const received = calls.find(
    ({ unit, operation, resource }) =>
      unit === 'event-source' && operation === 'ReceiveMessage' && resource === queue,
  )?.perMessage
  if (received === undefined || received.octets === 0) return Number.POSITIVE_INFINITY
  return Math.max(1, Math.floor(maxEventOctets / (received.octets / received.entries)))
}

/** What an ingress task does at a rate of the whole stack. */
interface TaskFacts {
  readonly tasks: number
  readonly minimumTasks: number
  readonly perTask: number
  readonly vcpu: number
  readonly memoryGb: number
  readonly putsPerMessage: number
  readonly sendsPerMessage: number
  /** Rate of messages of one task at which it uses its whole processor. */
  readonly capacity: number
}

/** The part of its processor that a task uses before another one starts (`scale` in infra/ingress/smtp-ingress.ts). */
const targetUtilization = 0.5

export function ingressAt(
  ingress: IngressRates,
  { resources }: StackFacts,
  messagesPerSecond: number,
): TaskFacts {
  const definition = only(resources, 'AWS::ECS::TaskDefinition')
  const minimumTasks: number = only(resources, 'AWS::ApplicationAutoScaling::ScalableTarget').MinCapacity
  const vcpu = Number(definition.Cpu) / 1024
  const cpuMs = ingress.rates.at(-1)?.cpuMsPerMessage ?? 0
  const capacity = (vcpu * 1000) / cpuMs
  const tasks = Math.max(minimumTasks, Math.ceil(messagesPerSecond / (capacity * targetUtilization)))
  const perTask = messagesPerSecond / tasks
  return {
    tasks,
    minimumTasks,
    perTask,
    vcpu,
    memoryGb: Number(definition.Memory) / 1024,
    putsPerMessage: interpolate(ingress, perTask, 'putsPerMessage'),
    sendsPerMessage: interpolate(ingress, perTask, 'sendsPerMessage'),
    capacity,
  }
}

/** Interpolates between the measured rates; outside of them, takes the nearest. */
export function interpolate(
  { rates }: Pick<IngressRates, 'rates'>,
  messagesPerSecond: number,
  name: 'putsPerMessage' | 'sendsPerMessage',
): number {
  const sorted = rates.toSorted((a, b) => a.messagesPerSecond - b.messagesPerSecond)
  const above = sorted.findIndex((each) => each.messagesPerSecond >= messagesPerSecond)
  const [from, to] = [sorted[above - 1], sorted[above]]
  if (to === undefined) return sorted.at(-1)?.[name] ?? 1
  if (from === undefined) return to[name]
  const part = (messagesPerSecond - from.messagesPerSecond) / (to.messagesPerSecond - from.messagesPerSecond)
  return from[name] + part * (to[name] - from[name])
}

/** A call for a key that all messages share is made by time, not by messages; the floor has its cost. */
export const isTimed = ({ unit, service, key }: Pick<Call, 'unit' | 'service' | 'key'>): boolean =>
  unit === 'smtp-ingress' && ['dynamodb', 'secretsmanager'].includes(service) && !key.includes('<')

/** What a million messages need of one call. */
function amountsOf(call: Call, jobs: readonly QueueJobs[]): Amounts {
  const ofUnit = jobs.filter(({ unit }) => unit === call.unit)
  if (ofUnit.length === 0) return scale(call.perMessage, million)
  const perMessage = ofUnit.map(({ perMessage: jobsPerMessage, batches }) =>
    scale(add(scale(call.perBatch, 1 / batches.jobs), call.perMessage), jobsPerMessage),
  )
  return scale(perMessage.reduce(add, noAmounts), million)
}

const serviceNames: Readonly<Record<string, string>> = {
  dynamodb: 'DynamoDB',
  sqs: 'SQS',
  s3: 'S3',
  secretsmanager: 'Secrets Manager',
  events: 'EventBridge',
  sns: 'SNS',
}

const freeOperations = ['DeleteObject', 'AbortMultipartUpload']

function priceOf({ service, operation }: Call): PriceName | null {
  if (service === 'sqs') return 'sqsRequest'
  if (service === 'dynamodb')
    return /^(Get|Query|Scan|BatchGet|TransactGet)/.test(operation) ? 'dynamoDbRead' : 'dynamoDbWrite'
  if (service === 's3')
    return freeOperations.includes(operation) ? null : /^(Get|Head)/.test(operation) ? 's3Get' : 's3Put'
  if (service === 'secretsmanager') return 'secretRequest'
  if (service === 'events') return 'eventBridgeEvent'
  return service === 'sns' ? 'snsRequest' : null
}

function callLines(recording: Recording, jobs: readonly QueueJobs[], task: TaskFacts): CostLine[] {
  return recording.calls
    .filter((call) => call.unit !== 'event-source' && !isTimed(call))
    .flatMap((call) => {
      const name = priceOf(call)
      if (name === null) return []
      const shared = sharedCalls(call, task)
      const quantity = shared ?? amountsOf(call, jobs).units
      const item = [call.operation, call.resource, call.key].filter((part) => part !== '').join(' ')
      const hasBatches = jobs.some(({ unit }) => unit === call.unit) && call.perBatch.units > 0
      const origin = shared !== null || hasBatches ? 'Derived' : 'Measured'
      return [line(serviceNames[call.service] ?? call.service, call.unit, item, quantity, name, origin)]
    })
}

/** The calls of the ingress that messages share. */
function sharedCalls({ unit, operation, perMessage }: Call, task: TaskFacts): number | null {
  if (unit !== 'smtp-ingress') return null
  if (operation === 'PutObject') return task.putsPerMessage * million
  // A request of many jobs is billed for each 64 KiB.
  if (operation === 'SendMessageBatch')
    return Math.max(task.sendsPerMessage, perMessage.octets / 65_536) * million
  return null
}

const pollerLines = (jobs: readonly QueueJobs[]): CostLine[] =>
  jobs.map(({ queue, perMessage, batches }) => {
    const quantity = (batches.receivesPerJob + batches.deletesPerJob) * perMessage * million
    return line('SQS', 'event-source', `receive and delete ${queue}`, quantity, 'sqsRequest')
  })

const functionLines = (jobs: readonly QueueJobs[]): CostLine[] =>
  jobs.flatMap(({ unit, queue, memoryMiB, perMessage, batches }) => {
    const invocations = (perMessage / batches.jobs) * million
    const gigabyteSeconds = (invocations * (memoryMiB / 1024) * batches.durationMs) / 1000
    return [
      line('Lambda', unit, `invocations for ${queue}`, invocations, 'lambdaRequest'),
      line('Lambda', unit, `GB-seconds for ${queue}`, gigabyteSeconds, 'lambdaGbSecond'),
    ]
  })

function logLines({ logs }: Recording, jobs: readonly QueueJobs[], { resources }: StackFacts): CostLine[] {
  const retentionMonths =
    Math.max(
      ...ofType(resources, 'AWS::Logs::LogGroup').map(({ properties }) => properties.RetentionInDays ?? 0),
    ) / 30.4
  return logs.flatMap(({ unit, octets, lines }) => {
    const invocations = jobs
      .filter((each) => each.unit === unit)
      .reduce((sum, { perMessage, batches }) => sum + perMessage / batches.jobs, 0)
    const perMessage =
      octets +
      lines * octetsPerLogLine +
      invocations * (invocationLog.octets + invocationLog.lines * octetsPerLogLine)
    const size = (perMessage * million) / gigabyte
    return [
      line('CloudWatch Logs', unit, 'ingestion', size, 'logsGb', 'Measured'),
      line(
        'CloudWatch Logs',
        unit,
        'storage',
        size * logCompression * retentionMonths,
        'logsStorageGbMonth',
        'Measured',
      ),
    ]
  })
}

/** Items and objects that a message leaves, for as long as they are kept. */
function storageLines(
  { calls, conditions }: Recording,
  { resources }: StackFacts,
  options: CostOptions,
): CostLine[] {
  const retentionDays = Number(
    ofType(resources, 'AWS::Lambda::Function')
      .map(({ properties }) => properties.Environment?.Variables?.TRACE_RETENTION_DAYS)
      .find((days) => days !== undefined) ?? 0,
  )
  const sizes = new Map<string, number>()
  for (const { service, operation, resource, key, perMessage } of calls)
    if (
      service === 'dynamodb' &&
      /^(Put|Update|TransactPut|TransactUpdate|index)/.test(operation) &&
      key.startsWith('<')
    ) {
      const octets =
        perMessage.entries === 0 ? 0 : perMessage.octets / perMessage.entries + storedItemOverhead
      const name = JSON.stringify([resource, key])
      sizes.set(name, Math.max(sizes.get(name) ?? 0, octets * Math.min(1, perMessage.entries)))
    }
  const size = ([...sizes.values()].reduce((sum, octets) => sum + octets, 0) * million) / gigabyte
  const hasRecovery = ofType(resources, 'AWS::DynamoDB::Table').some(
    ({ id, properties }) =>
      id.startsWith('MessagesTable') &&
      properties.PointInTimeRecoverySpecification?.PointInTimeRecoveryEnabled,
  )
  const months = retentionDays / 30.4
  const objects = ofType(resources, 'AWS::S3::Bucket').find(({ id }) =>
    id.startsWith('ContentBucket'),
  )?.properties
  const objectDays = objects?.LifecycleConfiguration?.Rules.find(
    ({ ExpirationInDays: days }: { ExpirationInDays?: number }) => days !== undefined,
  )?.ExpirationInDays
  const stored = calls
    .filter(({ unit, operation }) => unit === 'smtp-ingress' && operation === 'PutObject')
    .reduce(
      (sum, { perMessage }) => sum + perMessage.octets,
      options.messageOctets - conditions.messageOctets,
    )
  return [
    line(
      'DynamoDB',
      'storage',
      `${retentionDays} days of the trace`,
      size * months,
      'dynamoDbGbMonth',
      'Measured',
    ),
    line(
      'DynamoDB',
      'storage',
      'point-in-time recovery',
      hasRecovery ? size * months : 0,
      'pointInTimeRecoveryGbMonth',
      'Measured',
    ),
    line(
      'S3',
      'storage',
      `${objectDays} days of content`,
      ((stored * million) / gigabyte) * (objectDays / 30.4),
      's3GbMonth',
      'Measured',
    ),
  ]
}

/** Tasks beyond those of the floor. */
function taskLines(
  { tasks, minimumTasks, vcpu, memoryGb }: TaskFacts,
  { messagesPerSecond }: CostOptions,
): CostLine[] {
  const hours = ((tasks - minimumTasks) * million) / messagesPerSecond / 3600
  return [
    line('Fargate', 'smtp-ingress', 'processors of further tasks', hours * vcpu, 'fargateVcpuHour'),
    line('Fargate', 'smtp-ingress', 'memory of further tasks', hours * memoryGb, 'fargateGbHour'),
    line('VPC', 'smtp-ingress', 'addresses of further tasks', hours, 'publicAddressHour'),
  ]
}

function besides({ route, calls }: Recording, { resources }: StackFacts, options: CostOptions): CostLine[] {
  const sent = calls
    .filter(({ service, operation }) => service === 'ses' && /^Send/.test(operation))
    .reduce((sum, { perMessage, perBatch }) => sum + perMessage.requests + perBatch.requests, 0)
  if (route === 'ses')
    return [
      line('Amazon SES', 'deliver-message', 'messages', sent * million, 'sesMessage', 'Measured'),
      line(
        'Amazon SES',
        'deliver-message',
        'messages, with the plan Essentials',
        sent * million,
        'sesEssentialsMessage',
        'Measured',
      ),
      line('Amazon SES', 'deliver-message', 'content, without a plan', gigabytes(options), 'sesContentGb'),
    ]
  const hasGateway = ofType(resources, 'AWS::EC2::NatGateway').length > 0
  return [
    line('Data transfer', 'deliver-message', 'content to the internet', gigabytes(options), 'transferOutGb'),
    ...(hasGateway
      ? [line('VPC', 'deliver-message', 'content through a NAT gateway', gigabytes(options), 'natGatewayGb')]
      : []),
  ]
}

/** The cost of a month at this rate. */
export const perMonth = (usdPerMillion: number, messagesPerSecond: number): number =>
  (usdPerMillion * messagesPerSecond * secondsPerMonth) / million

export const total = (lines: readonly CostLine[]): number =>
  lines.reduce((sum, { usd: cost }) => sum + cost, 0)
