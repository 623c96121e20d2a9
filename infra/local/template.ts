/**
 * Reads the synthesised CloudFormation template: finds resources by type, and resolves intrinsic functions against the
 * local resources. A value that cannot be resolved is an error.
 */
import type * as z from 'zod'
import { StartError } from './start-error.ts'

export interface Resource {
  readonly Type: string
  readonly Properties?: Readonly<Record<string, unknown>>
}

export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>
}

/** The values of `Ref` (key `Ref`) and `Fn::GetAtt` of one resource. */
export type Attributes = Readonly<Record<string, string>>

export const region = 'us-east-1'
export const accountId = '000000000000'

const pseudoParameters: Attributes = {
  'AWS::Region': region,
  'AWS::AccountId': accountId,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
  'AWS::StackName': 'Mailflow',
}

/** Returns logical id and unresolved properties of each resource of a type. */
export function resourcesOfType(template: Template, type: string): [string, Record<string, unknown>][] {
  return Object.entries(template.Resources)
    .filter(([, resource]) => resource.Type === type)
    .map(([id, resource]) => [id, { ...resource.Properties }])
}

/** Resolves intrinsic functions in template values. */
export class Resolver {
  readonly #template: Template
  readonly #attributesById = new Map<string, Attributes>()

  constructor(template: Template) {
    this.#template = template
  }

  /** Registers the attributes of a resource. */
  register(logicalId: string, attributes: Attributes): void {
    this.#attributesById.set(logicalId, attributes)
  }

  /**
   * Replaces every intrinsic function in `value` with its result.
   * @throws StartError for an unknown resource or attribute, or an unsupported function
   */
  resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.resolve(item))
    if (typeof value !== 'object' || value === null) return value
    const [name, argument] = Object.entries(value)[0] ?? []
    if (name !== undefined && Object.keys(value).length === 1 && (name === 'Ref' || name.startsWith('Fn::')))
      return this.#call(name, argument)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.resolve(item)]))
  }

  /** Resolves a value that must be a string. */
  string(value: unknown): string {
    const resolved = this.resolve(value)
    if (typeof resolved === 'string') return resolved
    throw new StartError(`template: ${JSON.stringify(value)} is not a string`)
  }

  #call(name: string, argument: unknown): unknown {
    switch (name) {
      case 'Ref':
        return this.#attribute(String(argument), 'Ref')
      case 'Fn::GetAtt':
        return this.#getAttribute(argument)
      case 'Fn::Sub':
        return this.#substitute(argument)
      case 'Fn::Join':
        return this.#join(argument)
      case 'Fn::Select':
        return this.#select(argument)
      case 'Fn::Split':
        return this.#split(argument)
      default:
        throw new StartError(`template: intrinsic function ${name} is not implemented by the local runner`)
    }
  }

  #attribute(logicalId: string, attribute: string): string {
    const pseudo = pseudoParameters[logicalId]
    if (pseudo !== undefined && attribute === 'Ref') return pseudo
    const value = this.#attributesById.get(logicalId)?.[attribute]
    if (value !== undefined) return value
    const type = this.#template.Resources[logicalId]?.Type ?? 'not in the template'
    throw new StartError(
      `template: ${attribute} of ${logicalId} (${type}) is not implemented by the local runner`,
    )
  }

  #getAttribute(argument: unknown): string {
    const path = Array.isArray(argument) ? argument.map(String) : String(argument).split('.')
    const [logicalId = '', ...attribute] = path
    return this.#attribute(logicalId, attribute.join('.'))
  }

  #substitute(argument: unknown): string {
    const [text, variables] = Array.isArray(argument) ? argument : [argument, {}]
    return String(text).replace(/\$\{([^}]+)\}/g, (_, name: string) => {
      if (name.startsWith('!')) return `\${${name.slice(1)}}`
      if (name in variables) return this.string(variables[name])
      return name.includes('.') ? this.#getAttribute(name) : this.#attribute(name, 'Ref')
    })
  }

  #join(argument: unknown): string {
    const [separator, items] = argument as [string, unknown]
    return (this.resolve(items) as unknown[]).map(String).join(separator)
  }

  #select(argument: unknown): unknown {
    const [index, items] = argument as [string | number, unknown]
    return (this.resolve(items) as unknown[])[Number(index)]
  }

  #split(argument: unknown): string[] {
    const [separator, text] = argument as [string, unknown]
    return this.string(text).split(separator)
  }
}

/** @throws StartError when the runner does not support the template's properties */
export function parse<T extends z.ZodType>(schema: T, value: unknown, logicalId: string): z.output<T> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new StartError(`template: ${logicalId}: ${faults.join('; ')}`)
}
