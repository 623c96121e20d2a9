import type { Writable } from 'node:stream'
import { LambdaFunction } from './function.ts'
import type { DefinedFunction } from './functions.ts'

/** All functions of the stack, by ARN. */
export class FunctionSet {
  readonly #functions: ReadonlyMap<string, LambdaFunction>

  /** @param openLog opens the log of a function */
  constructor(definitions: readonly DefinedFunction[], openLog: (name: string) => Writable) {
    this.#functions = new Map(
      definitions.map((definition) => [
        definition.arn,
        new LambdaFunction(definition, openLog(definition.name)),
      ]),
    )
  }

  /** @throws InvocationError for a failed invocation, Error for an unknown function */
  async invoke(arn: string, event: unknown): Promise<unknown> {
    return this.#function(arn).invoke(event)
  }

  /** @throws Error for an unknown function */
  whenIdle(arn: string): Promise<void> {
    return this.#function(arn).whenIdle()
  }

  #function(arn: string): LambdaFunction {
    const target = this.#functions.get(arn)
    if (target === undefined) throw new Error(`unknown function ${arn}`)
    return target
  }

  /** Creates one execution environment of each function before the first event. */
  async warm(): Promise<void> {
    await Promise.all([...this.#functions.values()].map((target) => target.warm()))
  }

  /** Kills every environment that runs an invocation; returns their number. */
  crash(): number {
    return [...this.#functions.values()].reduce((sum, target) => sum + target.crash(), 0)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#functions.values()].map((target) => target.stop()))
  }
}
