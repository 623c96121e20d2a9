/** Reads the Lambda functions and event source mappings of the template. */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import type { Queue } from '../aws/resources.ts'
import { StartError } from '../start-error.ts'
import { accountId, parse, type Resolver, region, resourcesOfType, type Template } from '../template.ts'
import type { FunctionDefinition } from './function.ts'
import type { Translation } from './nat.ts'
import type { EventSource } from './poller.ts'

const FunctionProperties = z.object({
  Handler: z.string(),
  Code: z.object({ S3Key: z.string() }),
  Timeout: z.number().default(3),
  MemorySize: z.number().default(128),
  ReservedConcurrentExecutions: z.number().optional(),
  Environment: z.object({ Variables: z.record(z.string(), z.string()) }).optional(),
})

const MappingProperties = z.object({
  FunctionName: z.string(),
  EventSourceArn: z.string(),
  BatchSize: z.number().default(10),
  MaximumBatchingWindowInSeconds: z.number().default(0),
  FunctionResponseTypes: z.array(z.string()).default([]),
  ScalingConfig: z.object({ MaximumConcurrency: z.number() }).optional(),
})

/**
 * Execution environments, which are threads, for one queue; a function with several queues has at most twice as many.
 * More threads would only slow the machine down.
 */
const maxThreads = availableParallelism() * 4

/** On one machine there is little to collect in a longer batching window, and users wait for the results. */
const maxBatchingWindowSeconds = 1

export interface DefinedFunction extends FunctionDefinition {
  readonly logicalId: string
  readonly arn: string
}

/** Registers the functions' ARNs, which routes and mappings refer to. */
export function registerFunctions(template: Template, resolver: Resolver): void {
  for (const [id] of resourcesOfType(template, 'AWS::Lambda::Function'))
    resolver.register(id, { Ref: id, Arn: `arn:aws:lambda:${region}:${accountId}:function:${id}` })
}

/**
 * @param base the environment of Lambda's runtime: region, credentials, endpoints
 * @param assets asset folders by object key
 */
export function readFunctions(
  template: Template,
  resolver: Resolver,
  assets: ReadonlyMap<string, string>,
  base: Readonly<Record<string, string>>,
  translation: Translation,
): DefinedFunction[] {
  return resourcesOfType(template, 'AWS::Lambda::Function').map(([logicalId, raw]) => {
    const properties = parse(FunctionProperties, resolver.resolve(runnable(raw)), logicalId)
    const { module, handler } = entryOf(properties.Handler, assets.get(properties.Code.S3Key), logicalId)
    return {
      logicalId,
      arn: resolver.string({ 'Fn::GetAtt': [logicalId, 'Arn'] }),
      name: logicalId,
      module,
      handler,
      translation,
      timeoutSeconds: properties.Timeout,
      concurrency: Math.min(properties.ReservedConcurrentExecutions ?? Infinity, 2 * maxThreads),
      environment: {
        ...base,
        ...properties.Environment?.Variables,
        // The caller's name, for the permissions of publishers.
        AWS_ACCESS_KEY_ID: logicalId,
        AWS_LAMBDA_FUNCTION_NAME: logicalId,
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(properties.MemorySize),
      },
    }
  })
}

/** Selects the properties that the runner uses. The runner has no roles, networks or asset bucket. */
function runnable(properties: Record<string, unknown>): Record<string, unknown> {
  const names = Object.keys(FunctionProperties.shape).filter((key) => key in properties)
  const code = properties.Code as { S3Key?: unknown } | undefined
  return { ...Object.fromEntries(names.map((key) => [key, properties[key]])), Code: { S3Key: code?.S3Key } }
}

function entryOf(specification: string, folder: string | undefined, logicalId: string) {
  const [file = '', handler = ''] = specification.split('.')
  const candidates = ['cjs', 'mjs', 'js'].map((extension) => join(folder ?? '', `${file}.${extension}`))
  const modulePath = folder === undefined ? undefined : candidates.find((path) => existsSync(path))
  if (modulePath === undefined)
    throw new StartError(`template: function ${logicalId}: bundle has no ${file}.cjs`)
  return { module: modulePath, handler }
}

/** Reads which queue invokes which function. */
export function readEventSources(
  template: Template,
  resolver: Resolver,
  functions: readonly DefinedFunction[],
  queues: readonly Queue[],
): { target: DefinedFunction; source: EventSource }[] {
  const mappings = resourcesOfType(template, 'AWS::Lambda::EventSourceMapping').map(
    ([id, raw]) => [id, parse(MappingProperties, resolver.resolve(raw), id)] as const,
  )
  return mappings.map(([id, mapping]) => {
    const target = functions.find(({ arn, name }) => [arn, name].includes(mapping.FunctionName))
    const queue = queues.find(({ arn }) => arn === mapping.EventSourceArn)
    if (target === undefined || queue === undefined)
      throw new StartError(`template: event source ${id}: unknown function or queue`)
    return {
      target,
      source: {
        queueUrl: queue.url,
        queueArn: queue.arn,
        batchSize: mapping.BatchSize,
        batchingWindowSeconds: Math.min(mapping.MaximumBatchingWindowInSeconds, maxBatchingWindowSeconds),
        reportsBatchItemFailures: mapping.FunctionResponseTypes.includes('ReportBatchItemFailures'),
        concurrency: Math.min(
          target.concurrency,
          shareOfThreads(
            mapping,
            mappings
              .map(([, other]) => other)
              .filter(({ FunctionName }) => FunctionName === mapping.FunctionName),
          ),
        ),
      },
    }
  })
}

type Mapping = z.output<typeof MappingProperties>

/**
 * The queue with the highest maximum gets `maxThreads`, the others less in proportion. As on AWS, each queue has its
 * own.
 */
function shareOfThreads(mapping: Mapping, mappingsOfFunction: readonly Mapping[]): number {
  const maximum = ({ ScalingConfig }: Mapping) => ScalingConfig?.MaximumConcurrency ?? maxThreads
  const highest = Math.max(...mappingsOfFunction.map(maximum))
  return Math.max(1, Math.floor((Math.min(maxThreads, highest) * maximum(mapping)) / highest))
}
