/** What the template says of the stack: units, memory, queues, tables' indexes, and resources with a price. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CfnElement, Stack } from 'aws-cdk-lib'
import { buildApp } from '../../../infra/create-app.ts'
import { UnitFunction } from '../../../infra/unit.ts'
import { type Json, templateOnly } from '../../support/synthesis.ts'
import { resourceName } from './aws-call.ts'
import type { IndexDefinition } from './item-size.ts'

/** A queue that invokes a function. */
export interface EventSourceFacts {
  readonly queue: string
  readonly batchSize: number
  readonly windowSeconds: number
  readonly maximumConcurrency: number
}

export interface FunctionFacts {
  /** Folder below functions/. */
  readonly unit: string
  readonly logicalId: string
  readonly memoryMiB: number
  readonly sources: readonly EventSourceFacts[]
}

export interface TemplateResource {
  readonly id: string
  readonly type: string
  readonly properties: Json
}

export interface StackFacts {
  readonly functions: readonly FunctionFacts[]
  readonly resources: readonly TemplateResource[]
  /** Indexes by the table's logical id. */
  readonly indexes: ReadonlyMap<string, readonly IndexDefinition[]>
}

/** @param settings as in cdk.json */
export function readStackFacts(settings: Record<string, unknown> = {}): StackFacts {
  const outdir = mkdtempSync(join(tmpdir(), 'mailflow-stack-'))
  try {
    const app = buildApp({ outdir, mailflow: settings, ...templateOnly })
    const units = new Map<string, string>()
    for (const construct of app.node.findAll())
      if (construct instanceof UnitFunction)
        units.set(Stack.of(construct).getLogicalId(construct.node.defaultChild as CfnElement), construct.unit)
    const { Resources }: Json = app.synth().getStackByName('Mailflow').template
    const resources = Object.entries<Json>(Resources).map(
      ([id, { Type: type, Properties: properties = {} }]) => ({
        id,
        type,
        properties,
      }),
    )
    return { functions: readFunctions(resources, units), resources, indexes: readIndexes(resources) }
  } finally {
    rmSync(outdir, { recursive: true, force: true })
  }
}

export const ofType = (resources: readonly TemplateResource[], type: string): TemplateResource[] =>
  resources.filter((resource) => resource.type === type)

/** Returns the properties of the only resource of a type. */
export function only(resources: readonly TemplateResource[], type: string): Json {
  const [resource, ...others] = ofType(resources, type)
  if (resource === undefined || others.length > 0)
    throw new Error(`expected one ${type}, found ${others.length + (resource ? 1 : 0)}`)
  return resource.properties
}

function readFunctions(
  resources: readonly TemplateResource[],
  units: ReadonlyMap<string, string>,
): FunctionFacts[] {
  const mappings = ofType(resources, 'AWS::Lambda::EventSourceMapping').map(({ properties }) => properties)
  return ofType(resources, 'AWS::Lambda::Function').flatMap(({ id, properties }) => ({
    unit: units.get(id) ?? resourceName(id),
    logicalId: id,
    memoryMiB: properties.MemorySize ?? 128,
    sources: mappings
      .filter(({ FunctionName }) => FunctionName.Ref === id)
      .map((mapping) => ({
        queue: resourceName(mapping.EventSourceArn['Fn::GetAtt'][0]),
        batchSize: mapping.BatchSize ?? 10,
        windowSeconds: mapping.MaximumBatchingWindowInSeconds ?? 0,
        maximumConcurrency: mapping.ScalingConfig?.MaximumConcurrency ?? 1000,
      })),
  }))
}

function readIndexes(resources: readonly TemplateResource[]): Map<string, IndexDefinition[]> {
  return new Map(
    ofType(resources, 'AWS::DynamoDB::Table').map(({ id, properties }) => [
      id,
      (properties.GlobalSecondaryIndexes ?? []).map(({ IndexName: name, KeySchema, Projection }: Json) => ({
        name,
        keys: KeySchema.map(({ AttributeName }: Json) => AttributeName),
        projected: projectedBy(Projection),
      })),
    ]),
  )
}

const projectedBy = ({ ProjectionType, NonKeyAttributes = [] }: Json): string[] | null =>
  ProjectionType === 'ALL' ? null : ProjectionType === 'INCLUDE' ? NonKeyAttributes : []
