import type { Writable } from 'node:stream'
import { LambdaFunction } from './function.ts'
import type { DefinedFunction } from './functions.ts'

/** All functions of the stack, by ARN. */
export class FunctionSet {
  readonly #functions: ReadonlyMap<string, LambdaFunction>

  /** @param openLog gives each function a place to write to */
  constructor(definitions: readonly DefinedFunction[], openLog: (name: string) => Writable) {
    this.#functions = new Map(
      definitions.map((definition) => [
        definition.arn,
        new LambdaFunction(definition, openLog(definition.name)),
      ]),
    )
  }

  /** @throws InvocationError when there is no result, Error when there is no such function */
  async invoke(arn: string, event: unknown): Promise<unknown> {
    const found = this.#functions.get(arn)
    if (found === undefined) throw new Error(`no function ${arn} on this machine`)
    return found.invoke(event)
  }

  /** One execution environment of each function, made before the first event. */
  async warm(): Promise<void> {
    await Promise.all([...this.#functions.values()].map((one) => one.warm()))
  }

  /** Kills every environment in the middle of an invocation; returns how many. */
  crash(): number {
    return [...this.#functions.values()].reduce((sum, one) => sum + one.crash(), 0)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#functions.values()].map((one) => one.stop()))
  }
}
