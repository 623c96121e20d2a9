/**
 * One invocation of a function for one job. Each awaited operation is a step that the test executes, so the test can
 * stop the invocation before or after each step.
 */
import { type Entry, timeoutMs } from '../../support/pipeline/queues.ts'

interface Step {
  name: string
  execute(): unknown
  resolve(value: unknown): void
  reject(error: unknown): void
}

export type Ending = 'Done' | 'Failed'

export class Worker {
  readonly name: string
  readonly entry: Entry
  readonly deadline: number
  ending: Ending | null = null
  #steps: Step[] = []

  constructor(entry: Entry, now: number) {
    this.name = `worker ${entry.number}.${entry.receives}`
    this.entry = entry
    this.deadline = now + timeoutMs[entry.unit]
  }

  /** Adds a step. The product's code awaits the result. */
  step<T>(name: string, execute: () => T): Promise<Awaited<T>> {
    return new Promise((resolve, reject) => {
      this.#steps.push({ name, execute, resolve: (value) => resolve(value as Awaited<T>), reject })
    })
  }

  run(work: () => Promise<unknown>, failed: (error: unknown) => void): void {
    work().then(
      () => {
        this.ending = 'Done'
      },
      (error) => {
        this.ending = 'Failed'
        failed(error)
      },
    )
  }

  /** True when the invocation neither waits for a step nor has ended. */
  get isRunning(): boolean {
    return this.ending === null && this.#steps.length === 0
  }

  /** Removes one of the waiting steps. Several steps wait when the code awaits them together. */
  takeStep(choose: (steps: readonly Step[]) => Step): Step {
    const chosen = choose(this.#steps)
    this.#steps = this.#steps.filter((step) => step !== chosen)
    return chosen
  }
}

/** Executes a step. The product's code gets the result or the error. */
export async function executeStep({ execute, resolve, reject }: Step): Promise<void> {
  try {
    resolve(await execute())
  } catch (error) {
    reject(error)
  }
}

export const lostResponses = [
  'refused',
  'done without a response',
  'done twice, because its first response was lost',
] as const

/** Loses the request, or its response, or only its first response. In the last case the client repeats the request. */
export async function loseRequest(step: Step, loss: (typeof lostResponses)[number]): Promise<void> {
  try {
    if (loss !== 'refused') await step.execute()
    if (loss === 'done twice, because its first response was lost') return executeStep(step)
    step.reject(new Error('the request had no response'))
  } catch (error) {
    step.reject(error)
  }
}
